"""The declarations agree with the table of directives."""

import typing

from redrock.config.directives import DIRECTIVES
from redrock.config.settings import Settings
from redrock.config.values import OutputBufferLimit, SettingValues


def test_every_directive_has_an_attribute_of_its_type() -> None:
    declared = typing.get_type_hints(SettingValues)
    assert sorted(declared) == sorted(directive.attribute for directive in DIRECTIVES)
    settings = Settings()
    for directive in DIRECTIVES:
        value: object = getattr(settings, directive.attribute)
        kind: object = declared[directive.attribute]
        if kind in (bool, int, str, bytes):
            assert type(value) is kind, directive.name
        else:
            assert isinstance(value, tuple) or directive.name == "replicaof", directive.name


def test_limits_are_compared_by_value() -> None:
    assert OutputBufferLimit(1, 2, 3) == OutputBufferLimit(1, 2, 3)
    assert OutputBufferLimit(1, 2, 3) != OutputBufferLimit(1, 2, 4)
    assert OutputBufferLimit(1, 2, 3) != (1, 2, 3)
    assert hash(OutputBufferLimit(1, 2, 3)) == hash(OutputBufferLimit(1, 2, 3))
