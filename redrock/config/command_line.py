"""The command line of redrock-server, which is redis-server's: a file, `-`, and `--directive value ...`.

Source: Redis 7.0.15, server.c (main). Options become lines of configuration that are read after the file and standard
input. `--directive` may stand alone, its values following, or hold values itself (`"--port 6380"`). After a directive
without any value so far, a word that begins with `--` is its value, not the next directive, except that `--save` with
nothing behind it means `save ""`.
"""

import attrs

from redrock.util.quoting import quote, split_args


@attrs.frozen
class CommandLine:
    """What the arguments say. ``config_file`` is "" if none was named; ``options`` are lines of configuration."""

    config_file: str
    from_standard_input: bool
    options: bytes


def parse_command_line(arguments: list[bytes]) -> CommandLine:
    """``arguments``: without the program's name. Never fails: what makes no sense fails as configuration."""
    config_file = ""
    position = 0
    if arguments and not arguments[0].startswith(b"-"):
        config_file = arguments[0].decode("utf-8", "surrogateescape")
        position = 1
    from_standard_input = False
    options = b""
    value_is_due = False
    last = len(arguments) - 1
    for place in range(position, len(arguments)):
        argument = arguments[place]
        if argument == b"-" and place in (0, last):
            from_standard_input = True
        elif argument.startswith(b"--") and not value_is_due:
            options += (b"\n" if options else b"") + argument[2:] + b" "
            words = split_args(argument)
            value_is_due = words is not None and len(words) == 1
            if value_is_due:
                following = arguments[place + 1] if place < last else b""
                name = argument.lower()
                if name == b"--save" and (place == last or following.startswith(b"--")):
                    options += b'""'
                    value_is_due = place == last
                elif name == b"--sentinel" and following.startswith(b"--"):
                    value_is_due = False
        else:
            options += quote(argument) + b" "
            value_is_due = False
    return CommandLine(config_file, from_standard_input, options)
