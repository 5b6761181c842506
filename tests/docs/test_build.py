"""What installing from a clone compiles, and what it leaves behind of an earlier build."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from pages import ROOT

COMPILED = f"proxy/paravent/masking/compiled_walk{sysconfig.get_config_var('EXT_SUFFIX')}"


def test_a_clone_that_is_installed_without_compiling_keeps_nothing_compiled_from_an_older_source(
    tmp_path: Path,
) -> None:
    """It would be imported in place of the source that stands beside it."""
    for folder in ("proxy", "addons"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    for name in ("pyproject.toml", "README.md", "hatch_build.py"):
        shutil.copy(ROOT / name, tmp_path)
    left, other = tmp_path / COMPILED, tmp_path / COMPILED.replace("cpython-3", "cpython-2")
    left.write_bytes(b"of an older source")
    other.write_bytes(b"of another Python")
    editable = "from hatchling.build import build_editable; build_editable('wheel')"
    (tmp_path / "wheel").mkdir()
    environment = os.environ | {"PARAVENT_COMPILE": "0"}
    subprocess.run([sys.executable, "-c", editable], cwd=tmp_path, env=environment, check=True, capture_output=True)
    assert not left.exists()
    assert other.exists()
