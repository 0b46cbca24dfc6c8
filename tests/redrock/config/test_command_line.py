"""The command line. tests/differential/test_config.py gives the same ones to redis-server."""

import pytest

from redrock.config.command_line import CommandLine, parse_command_line


@pytest.mark.parametrize(
    ("arguments", "config_file", "from_standard_input", "options"),
    [
        ([], "", False, b""),
        (["a.conf"], "a.conf", False, b""),
        (["-"], "", True, b""),
        (["a.conf", "-"], "a.conf", True, b""),
        (["a.conf", "--port", "1", "-"], "a.conf", True, b'port "1" '),
        (["-", "--port", "1"], "", True, b'port "1" '),
        # In the middle a dash is a value.
        (["a.conf", "-", "--port", "1"], "a.conf", False, b'"-" \nport "1" '),
        (["--port", "0"], "", False, b'port "0" '),
        (["--port 0"], "", False, b"port 0 "),
        (["--port 0", "--hz", "1"], "", False, b'port 0 \nhz "1" '),
        (["--bind", "a", "b", "--hz", "1"], "", False, b'bind "a" "b" \nhz "1" '),
        (["--requirepass", "--x"], "", False, b'requirepass "--x" '),
        (["--requirepass", 'a "b"\n'], "", False, b'requirepass "a \\"b\\"\\n" '),
        (["--save", ""], "", False, b'save "" '),
        (["--save"], "", False, b'save ""'),
        (["--SAVE", "--hz", "1"], "", False, b'SAVE ""\nhz "1" '),
        (["--save", "1", "2", "--save", "3 4"], "", False, b'save "1" "2" \nsave "3 4" '),
        (["--save", "-"], "", True, b"save "),
        (["--sentinel", "--hz", "1"], "", False, b'sentinel \nhz "1" '),
        (["--port"], "", False, b"port "),
    ],
)
def test_arguments_become_lines(
    arguments: list[str], config_file: str, from_standard_input: bool, options: bytes
) -> None:
    line = parse_command_line([argument.encode() for argument in arguments])
    assert line.config_file == config_file
    assert line.from_standard_input == from_standard_input
    assert [part.split() for part in line.options.split(b"\n")] == [part.split() for part in options.split(b"\n")]


def test_file_names_of_any_bytes() -> None:
    assert parse_command_line([b"\xff.conf"]) == CommandLine("\udcff.conf", False, b"")
