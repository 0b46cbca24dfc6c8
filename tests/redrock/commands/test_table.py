"""Finding commands by name, and what clients are told about those that are not there."""

import pytest

from redrock.commands import table as table_module
from redrock.commands.command import MAY_REPLICATE, PROTECTED
from redrock.commands.table import CommandTable, build_table

OWN = {b"purgerocksdb", b"rockall", b"rockevict", b"rockmem", b"rockstat"}


@pytest.fixture
def table() -> CommandTable:
    return build_table()


def test_all_commands_of_redis_and_our_own(table: CommandTable) -> None:
    names = {command.name for command in table.commands()}
    assert names >= OWN
    assert len(names - OWN) == 240
    assert len(table.everything()) == 366 + len(OWN)


@pytest.mark.parametrize(
    ("argv", "name"),
    [
        ([b"get", b"k"], b"get"),
        ([b"GeT"], b"get"),
        ([b"CONFIG", b"Get", b"x"], b"config|get"),
        ([b"config"], b"config"),
        ([b"config", b"nope"], None),
        ([b"config|get"], None),
        ([b"nope"], None),
        ([b""], None),
        ([b"get\0"], None),
        ([b"command"], b"command"),
        ([b"command", b"count"], b"command|count"),
    ],
)
def test_find(table: CommandTable, argv: list[bytes], name: bytes | None) -> None:
    for _again in range(2):  # the second time from the remembered spellings
        command = table.find(argv)
        assert (command.name if command else None) == name


def test_remembered_spellings_are_bounded(table: CommandTable) -> None:
    for number in range(2**11 + 10):
        spelling = bytes(letter - 32 * (number >> bit & 1) for bit, letter in enumerate(b"hincrbyfloat") if letter != 0)
        command = table.find([spelling])
        assert command is not None
        assert command.name == b"hincrbyfloat"
    assert len(table._spellings) == table_module.SPELLINGS_MAX


@pytest.mark.parametrize(
    ("name", "found"),
    [
        (b"get", b"get"),
        (b"GET", b"get"),
        (b"Config|GET", b"config|get"),
        (b"config", b"config"),
        (b"config|nope", None),
        (b"config|get|x", None),
        (b"get|x", None),
        (b"nope|x", None),
        (b"", None),
    ],
)
def test_by_name(table: CommandTable, name: bytes, found: bytes | None) -> None:
    command = table.by_name(name)
    assert (command.name if command else None) == found


@pytest.mark.parametrize(
    "argv",
    [
        [b"foo"],
        [b"foo", b"a", b"b"],
        [b"FOO", b"a\r\nb", b"c\nd"],
        [b"f\r\noo"],
        [b"foo", b"x" * 300],
        [b"foo", b"x" * 100, b"y" * 100, b"z"],
        [b"foo", b"x" * 124, b"y"],
        [b"foo", b"x" * 125, b"y"],
        [b"foo", b"x" * 126, b"y"],
        [b"foo"] + [b"ab"] * 60,
        [b"f" * 200, b"a"],
        [b"foo", b"a\0b", b"c"],
        [b"foo\0bar", b"c"],
        [b"foo", b""],
        [b"command", b"nope"],
        [b"Command", b"nope", b"x"],
        [b"command", b"n" * 200],
        [b"command", b"a\0b"],
        [b"command", b"a\r\nb"],
        [b"command", b""],
        [b"command|info", b"get"],
    ],
)
def test_errors_as_redis_words_them(table: CommandTable, redis_resp2, argv: list[bytes]) -> None:
    assert table.find(argv) is None
    assert (b"-", table.missing_error(argv)) == redis_resp2.ask(*argv)


def test_a_command_without_handler_is_not_available(table: CommandTable) -> None:
    command = table.find([b"lolwut"])
    assert command is not None
    if command.handler is None:
        assert not command.available
    container = table.find([b"command"])
    assert container is not None
    assert container.available
    # An unknown subcommand of a container of which nothing is there yet: the container itself is unknown.
    module = table.find([b"module"])
    assert module is not None
    if not module.available:
        assert table.missing_error([b"module", b"x"]).startswith(b"ERR unknown command 'module'")


def test_handlers_have_facts_and_are_bound_once(table: CommandTable) -> None:
    bound = [name for handlers in table_module.GROUPS for name in handlers]
    assert len(bound) == len(set(bound))
    assert {command.name for command in table.everything() if command.handler is not None} == set(bound)


def test_flags_that_command_does_not_show(table: CommandTable) -> None:
    flagged = {command.name for command in table.everything() if command.flags & MAY_REPLICATE}
    assert flagged == {b"eval", b"evalsha", b"fcall", b"pfcount", b"publish", b"spublish"}
    flagged = {command.name for command in table.everything() if command.flags & PROTECTED}
    assert flagged == {b"debug", b"module|load", b"module|loadex", b"module|unload"}


class TestRename:
    def test_new_name(self, table: CommandTable) -> None:
        table.find([b"get"])
        table.rename(b"GET", b"Fetch")
        assert table.find([b"get"]) is None
        command = table.find([b"FETCH"])
        assert command is not None
        assert command.name == b"get"
        original = table.find_original([b"get"])
        assert original is command

    def test_disabled(self, table: CommandTable) -> None:
        table.rename(b"config", b"")
        assert table.find([b"config", b"get"]) is None
        assert table.missing_error([b"config", b"get"]).startswith(b"ERR unknown command 'config'")
        original = table.find_original([b"config", b"get"])
        assert original is not None
        assert original.name == b"config|get"

    def test_refused(self, table: CommandTable) -> None:
        with pytest.raises(ValueError, match="No such command in rename-command"):
            table.rename(b"nope", b"x")
        with pytest.raises(ValueError, match="Target command name already exists"):
            table.rename(b"get", b"SET")

    def test_tables_are_independent(self, table: CommandTable) -> None:
        table.rename(b"get", b"")
        assert build_table().find([b"get"]) is not None


def test_statistics_are_reset_everywhere(table: CommandTable) -> None:
    for command in table.everything():
        command.calls = 1
    table.reset_statistics()
    assert not any(command.calls for command in table.everything())
