"""What a checker of types does not see, but compiled code trips over."""

import ast
import importlib.util
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def compiled_sources() -> list[Path]:
    """The modules that tools/compiled_modules.py names."""
    spec = importlib.util.spec_from_file_location("compiled_modules", ROOT / "tools" / "compiled_modules.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return [ROOT / name for name in module.compiled_modules(ROOT)]


def test_an_exception_has_a_name_of_its_own() -> None:
    """In a compiled function a variable has one type, that of its first handler.

    A second ``except B as error`` behind ``except A as error`` raises TypeError when a B comes. This bug once turned
    every internal error of the compiled server into its end.
    """
    sources = compiled_sources()
    assert len(sources) > 50
    found = []
    for path in sources:
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(function, ast.FunctionDef):
                continue
            kinds: dict[str, str] = {}
            for handler in ast.walk(function):
                if isinstance(handler, ast.ExceptHandler) and handler.name and handler.type:
                    kind = ast.unparse(handler.type)
                    if kinds.setdefault(handler.name, kind) != kind:
                        found.append(f"{path.relative_to(ROOT)}:{handler.lineno}: {handler.name} is a {kind} here")
    assert found == []
