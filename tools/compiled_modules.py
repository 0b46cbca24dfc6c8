"""The list of modules that mypyc compiles: the synchronous ones on the hot path, and those they call."""

from pathlib import Path

COMPILED: tuple[str, ...] = (
    "redrock/errors.py",
    "redrock/resp/*.py",
    "redrock/util/glob.py",
    "redrock/util/long_double.py",
    "redrock/util/numbers.py",
    "redrock/util/quoting.py",
    "redrock/datatypes/*.py",
)


def compiled_modules(root: Path) -> list[str]:
    """Paths relative to ``root``, package markers left out."""
    return sorted(
        {
            str(path.relative_to(root))
            for pattern in COMPILED
            for path in root.glob(pattern)
            if path.name != "__init__.py"
        }
    )
