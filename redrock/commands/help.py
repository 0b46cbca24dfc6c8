"""The reply of every `<container> HELP`. Source: Redis 7.0.15, networking.c, addReplyHelp."""

from collections.abc import Sequence

from redrock.resp.reply import Reply, Status


def help_reply(argv: list[bytes], lines: Sequence[bytes]) -> Reply:
    """``lines``: per subcommand its syntax, then what it does, indented by four blanks. HELP itself is added here.

    Header and footer are Redis's to the byte, since programs look for them; the lines between are our own words.
    """
    header = b"%b <subcommand> [<arg> [value] [opt] ...]. Subcommands are:" % argv[0].upper()
    return [Status(line) for line in (header, *lines, b"HELP", b"    Prints this help.")]
