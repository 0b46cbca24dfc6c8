"""The declarations agree with the table of directives."""

import ast
from pathlib import Path

from redrock.config import values
from redrock.config.directives import DIRECTIVES
from redrock.config.settings import Settings
from redrock.config.values import OutputBufferLimit


def declared() -> dict[str, str]:
    """The annotations of `SettingValues`, from the source: the compiled class has none."""
    module = ast.parse(Path(values.__file__).with_name("values.py").read_text())
    (body,) = [node.body for node in module.body if isinstance(node, ast.ClassDef) and node.name == "SettingValues"]
    return {
        node.target.id: ast.unparse(node.annotation)
        for node in body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }


def test_every_directive_has_an_attribute_of_its_type() -> None:
    types = declared()
    assert list(types) == [directive.attribute for directive in DIRECTIVES]
    settings = Settings()
    for directive in DIRECTIVES:
        value: object = getattr(settings, directive.attribute)
        if types[directive.attribute] in ("bool", "int", "str", "bytes"):
            assert type(value).__name__ == types[directive.attribute], directive.name
        else:
            assert isinstance(value, tuple) or directive.name == "replicaof", directive.name


def test_limits_are_compared_by_value() -> None:
    assert OutputBufferLimit(1, 2, 3) == OutputBufferLimit(1, 2, 3)
    assert OutputBufferLimit(1, 2, 3) != OutputBufferLimit(1, 2, 4)
    assert OutputBufferLimit(1, 2, 3) != (1, 2, 3)
    assert hash(OutputBufferLimit(1, 2, 3)) == hash(OutputBufferLimit(1, 2, 3))
