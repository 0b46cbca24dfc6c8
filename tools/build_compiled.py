"""Builds the compiled package into a directory of its own (build/compiled), beside the plain source.

The directory holds a copy of the three packages with the extension modules in place: put it first on PYTHONPATH.
Nothing is done when neither sources nor build settings have changed since the last build.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "build" / "compiled"
PACKAGES = ("redrock", "persistence", "replication")
ALSO = ("setup.py", "pyproject.toml", "tools/compiled_modules.py", "tools/build_compiled.py", "README.md")


def optimization() -> str:
    """The C compiler's -O level. 1 is right for tests, since 3 takes more than twice as long; measurements want 3."""
    return os.environ.get("REDROCK_OPT_LEVEL", "1")


def source_files() -> list[Path]:
    files = [path for package in PACKAGES for path in (ROOT / package).rglob("*") if path.suffix in (".py", ".json")]
    files += (ROOT / "tools" / "stubs").rglob("*.pyi")
    files += [ROOT / name for name in ALSO if (ROOT / name).exists()]
    return sorted(files)


def fingerprint(files: list[Path]) -> str:
    digest = hashlib.sha256(sys.version.encode())
    digest.update(optimization().encode())
    for path in files:
        digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def main() -> int:
    files = source_files()
    stamp = TARGET / ".fingerprint"
    now = fingerprint(files)
    if stamp.exists() and stamp.read_text() == now:
        print("compiled build is up to date")
        return 0
    scratch = ROOT / "build" / "scratch"
    shutil.rmtree(scratch, ignore_errors=True)
    for path in files:
        copy = scratch / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, copy)
    environment = dict(
        os.environ, REDROCK_COMPILE="1", REDROCK_OPT_LEVEL=optimization(), MYPYPATH=str(scratch / "tools" / "stubs")
    )
    log = ROOT / "build" / "compile.log"
    with log.open("wb") as output:
        done = subprocess.run(
            [sys.executable, "setup.py", "-q", "build_ext", "--inplace"],
            cwd=scratch,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode:
        print(log.read_text(errors="replace")[-8000:], file=sys.stderr)
        return done.returncode
    for name in ("build", "tools", "setup.py", "pyproject.toml", "README.md"):
        path = scratch / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    (scratch / ".fingerprint").write_text(now)
    shutil.rmtree(TARGET, ignore_errors=True)
    scratch.rename(TARGET)
    print(f"compiled build is in {TARGET.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
