"""Whether Paravent could be compiled here."""

import shutil
import sysconfig
from pathlib import Path


def compiles() -> bool:
    """A C compiler, and the headers of this Python."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    return compiler is not None and Path(sysconfig.get_path("include"), "Python.h").exists()
