"""What building Paravent does beside copying: the walk over answers is compiled, where there is a C compiler.

PARAVENT_COMPILE=0 leaves it out; PARAVENT_COMPILE=1 fails where it cannot be done, for who builds wheels. Without
either, whoever has no compiler gets the plain walk, which lets the same leave in twice the time.
"""

import hashlib
import os
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

MODULE = "paravent.masking.compiled_walk"
PATH = "proxy/paravent/masking/compiled_walk"


class CustomBuildHook(BuildHookInterface[Any]):
    """Asked by hatchling before it makes a wheel or an editable installation; not for a source distribution."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, and say so to the wheel: it is one of this interpreter and this machine then."""
        wanted = os.environ.get("PARAVENT_COMPILE", "")
        if self.target_name != "wheel":
            return
        if version == "editable":
            # What was built from an older source would go on to be imported where nothing is built now.
            Path(self.root, f"{PATH}{sysconfig.get_config_var('EXT_SUFFIX')}").unlink(missing_ok=True)
        if wanted == "0":
            return
        try:
            built = _compile(Path(self.root))
        except (Exception, SystemExit) as problem:  # setuptools ends the process where there is no compiler
            if wanted == "1":
                raise
            self.app.display_warning(f"The walk over answers stays plain Python: {problem}")
            return
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
        build_data["artifacts"].append(f"/{built}")


def _compile(root: Path) -> str:
    from Cython.Build import cythonize
    from setuptools import Distribution, Extension
    from setuptools.command.build_ext import build_ext

    source = root / f"{PATH}.pyx"
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    extension = Extension(MODULE, [str(source)], define_macros=[("PARAVENT_SOURCE", f'"{digest}"')])
    work = root / "build"
    modules = cythonize([extension], build_dir=str(work), quiet=True, force=True)
    command = build_ext(Distribution({"name": "paravent", "ext_modules": modules}))
    command.build_lib, command.build_temp = str(root / "proxy"), str(work)
    command.ensure_finalized()
    command.run()
    return Path(command.get_ext_fullpath(MODULE)).relative_to(root).as_posix()
