"""The layout of the code: floors, a test file for every source file, and who may import what.

The floors are those of the table in docs/architecture.md: a module imports from its own package, from lower floors, and
from what stands to the left on its own floor.
"""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("redrock", "persistence", "replication")

FLOORS = (
    ("redrock.errors", "redrock.util"),
    ("redrock.resp", "redrock.datatypes"),
    ("persistence.rdb", "persistence.aof", "replication.protocol"),
    (
        "redrock.interfaces",
        "redrock.config",
        "redrock.acl",
        "redrock.monitoring.stats",
        "redrock.cold",
        "redrock.keyspace",
        "redrock.clients",
        "redrock.monitoring",
    ),
    ("redrock.scripting", "persistence", "replication", "redrock.cluster"),
    ("redrock.commands",),
    ("redrock.server",),
    ("redrock.cli",),
)
HEIGHT = {package: (floor, place) for floor, packages in enumerate(FLOORS) for place, package in enumerate(packages)}

# Modules without a test file of their own: each is thin, and what it does shows only in a running server, so the tests
# named beside it are its tests.
TESTED_ELSEWHERE = {
    "redrock/server/tasks/listeners.py": "tests/integration/test_listening.py",
    "redrock/server/tasks/signals.py": "tests/integration/test_life.py",
}

SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def package_of(module: str) -> str:
    """The entry of the floors' table that the module belongs to: the longest that fits."""
    fitting = [package for package in HEIGHT if module == package or module.startswith(package + ".")]
    return max(fitting, key=len) if fitting else ""


def imports_of(path: Path) -> list[tuple[int, str]]:
    """Line and full name of everything imported, in functions and under TYPE_CHECKING too."""
    found: list[tuple[int, str]] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.relative_to(ROOT)}:{node.lineno}: imports are absolute here"
            module = node.module or ""
            for alias in node.names:
                full = f"{module}.{alias.name}"
                # `from redrock.resp import encoder` names a module, `from redrock.errors import ReplyError` does not.
                is_module = (ROOT / Path(*full.split("."))).with_suffix(".py").exists()
                found.append((node.lineno, full if is_module else module))
    return found


@pytest.mark.parametrize("path", SOURCES, ids=module_name)
def test_imports_go_down(path: Path) -> None:
    importer = module_name(path)
    home = package_of(importer)
    if importer in PACKAGES:
        return
    assert home, f"{importer} stands on no floor: add its package to the table"
    wrong = []
    for line, imported in imports_of(path):
        if imported.split(".")[0] not in PACKAGES or imported == "redrock":
            continue
        target = package_of(imported)
        assert target, f"{importer}:{line} imports {imported}, which stands on no floor"
        if target != home and HEIGHT[target] > HEIGHT[home]:
            wrong.append(f"line {line}: {imported}")
    assert not wrong, f"{importer} ({home}) imports from above or from its right: " + "; ".join(wrong)


@pytest.mark.parametrize("path", SOURCES, ids=module_name)
def test_trio_is_for_tasks_only(path: Path) -> None:
    name = path.relative_to(ROOT).as_posix()
    if "tasks" in path.parts or name == "redrock/server/server.py" or name.startswith("redrock/cli/"):
        return
    lines = [line for line, module in imports_of(path) if module.split(".")[0] == "trio"]
    assert not lines, f"{name} imports trio on line {lines[0]}: only tasks may"


@pytest.mark.parametrize("path", SOURCES, ids=module_name)
def test_one_module_knows_each_library(path: Path) -> None:
    name = path.relative_to(ROOT).as_posix()
    only_in = {
        "plyvel": "redrock/cold/leveldb.py",
        "anycrc": "redrock/util/crc.py",
        "lzf": "redrock/util/lzf.py",
    }
    for line, module in imports_of(path):
        home = only_in.get(module.split(".")[0], name)
        assert home == name, f"{name}:{line} imports {module}, which only {home} may"
        assert module.split(".")[0] != "asyncio", f"{name}:{line}: tasks are Trio's"


@pytest.mark.parametrize("path", [p for p in SOURCES if p.name != "__init__.py"], ids=module_name)
def test_every_source_file_has_its_test_file(path: Path) -> None:
    relative = path.relative_to(ROOT)
    if relative.as_posix() in TESTED_ELSEWHERE:
        return
    mirror = ROOT / "tests" / relative.parent / f"test_{relative.name}"
    assert mirror.exists(), f"{relative} has no {mirror.relative_to(ROOT)}"


def test_exemptions_are_needed() -> None:
    for name, where in TESTED_ELSEWHERE.items():
        path = Path(name)
        assert (ROOT / path).exists(), f"{name} is gone: take it off the list"
        assert (ROOT / where).exists(), f"{where}, which is to test {name}, does not exist"
        mirror = ROOT / "tests" / path.parent / f"test_{path.name}"
        assert not mirror.exists(), f"{name} has a test file now: take it off the list"


def test_test_files_have_their_source_file() -> None:
    for package in PACKAGES:
        for path in (ROOT / "tests" / package).rglob("test_*.py"):
            relative = path.relative_to(ROOT / "tests")
            source = ROOT / relative.parent / relative.name.removeprefix("test_")
            assert source.exists(), f"{path.relative_to(ROOT)} tests a file that does not exist"


def test_no_paths_of_one_machine() -> None:
    """Nothing in the repository may name a place that exists on its author's machine only."""
    pattern = re.compile(r"(?<![\w./])/(?:work|home|root|Users)/[\w.]")
    kinds = {".py", ".pyi", ".md", ".toml", ".conf", ".json", ".txt", ""}
    found = []
    for folder in (*PACKAGES, "tests", "tools", "conf", "docs", ".ci"):
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and path.suffix in kinds:
                text = path.read_text(encoding="utf-8", errors="replace")
                found += [f"{path.relative_to(ROOT)}: {match[0]}" for match in pattern.finditer(text)]
    for name in ("Makefile", "README.md", "CONTRIBUTING.md", "pyproject.toml", "setup.py"):
        found += [f"{name}: {match[0]}" for match in pattern.finditer((ROOT / name).read_text(encoding="utf-8"))]
    assert not found, found
