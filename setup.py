"""Builds the package. Hot modules become C extensions by mypyc where a C compiler is found; elsewhere, the same source
runs interpreted. REDROCK_COMPILE=0 forbids compiling, REDROCK_COMPILE=1 makes its failure an error.
"""

import os
import shutil
import sys
import sysconfig
from pathlib import Path

from setuptools import setup

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "tools"))


def extensions() -> list[object]:
    wanted = os.environ.get("REDROCK_COMPILE", "auto")
    if wanted == "0":
        return []
    compiler = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()[0]
    if shutil.which(compiler) is None and shutil.which("cc") is None:
        message = f"redrock: no C compiler ({compiler}) found: installing the plain Python build, which is slower"
        if wanted == "1":
            raise SystemExit(message)
        print(message, file=sys.stderr)
        return []
    try:
        from mypyc.build import mypycify

        from compiled_modules import compiled_modules

        os.chdir(HERE)
        return mypycify(
            ["--config-file", "pyproject.toml", *compiled_modules(HERE)],
            opt_level=os.environ.get("REDROCK_OPT_LEVEL", "3"),
            debug_level="0",
            group_name="redrock_compiled",
        )
    except (Exception, SystemExit) as error:
        if wanted == "1":
            raise
        print(f"redrock: not compiled ({error}): installing the plain Python build, which is slower", file=sys.stderr)
        return []


setup(ext_modules=extensions())
