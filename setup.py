"""Builds the package. Hot modules become C extensions by mypyc where a C compiler is found; elsewhere, the same source
runs interpreted. REDROCK_COMPILE=0 forbids compiling, REDROCK_COMPILE=1 makes its failure an error.

mypyc writes one C file per module, and they are compiled side by side: as a single file, the compiler needs more than
a gigabyte and one core for minutes.
"""

import os
import shutil
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from setuptools import setup  # isort: skip  # before distutils, which it replaces
from distutils.ccompiler import CCompiler  # isort: skip

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
        from compiled_modules import compiled_modules
        from mypyc.build import mypycify

        os.chdir(HERE)
        return mypycify(
            ["--config-file", "pyproject.toml", *compiled_modules(HERE)],
            opt_level=os.environ.get("REDROCK_OPT_LEVEL", "3"),
            debug_level="0",
            multi_file=True,
            group_name="redrock_compiled",
        )
    except (Exception, SystemExit) as error:
        if wanted == "1":
            raise
        print(f"redrock: not compiled ({error}): installing the plain Python build, which is slower", file=sys.stderr)
        return []


def compile_in_parallel(
    self: CCompiler,
    sources: list[str],
    output_dir: str | None = None,
    macros: list[tuple[str, str | None]] | None = None,
    include_dirs: list[str] | None = None,
    debug: bool = False,
    extra_preargs: list[str] | None = None,
    extra_postargs: list[str] | None = None,
    depends: list[str] | None = None,
) -> list[str]:
    """Stands in for CCompiler.compile, which compiles one file after the other."""
    macros, objects, extra_postargs, options, build = self._setup_compile(
        output_dir, macros, include_dirs, sources, depends, extra_postargs
    )
    arguments = self._get_cc_args(options, debug, extra_preargs)

    def compile_one(target: str) -> None:
        source, extension = build[target]
        self._compile(target, source, extension, arguments, extra_postargs, options)

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        list(pool.map(compile_one, sorted(build, key=lambda target: -os.path.getsize(build[target][0]))))
    return objects


CCompiler.compile = compile_in_parallel

setup(ext_modules=extensions())
