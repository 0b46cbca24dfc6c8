"""SCAN. Cursor and options are in `commands.scan_arguments`, what is promised in `datatypes.scan_dict`.

Source: Redis 7.0.15, db.c, scanGenericCommand.
"""

from typing import Final

from redrock.commands.command import Handler
from redrock.commands.context import Context
from redrock.commands.generic.keys import is_over
from redrock.commands.scan_arguments import ScanArguments, parse_cursor
from redrock.datatypes.value import TYPE_NAMES
from redrock.resp.reply import Reply
from redrock.util.glob import match


def scan(ctx: Context, argv: list[bytes]) -> Reply:
    """SCAN cursor [MATCH pattern] [COUNT count] [TYPE type]"""
    position = parse_cursor(argv[1])
    arguments = ScanArguments(argv, 2, True)
    db = ctx.db
    position, candidates = db.table.scan(position, arguments.count)
    pattern = arguments.pattern
    type_name = None if arguments.type_name is None else arguments.type_name.lower()
    may_expire = db.expires.length() > 0
    found: list[Reply] = []
    for key in candidates:
        if pattern is not None and not match(pattern, key):
            continue
        if type_name is not None:
            value = db.peek_read(key)
            if (b"none" if value is None else TYPE_NAMES[value.type_code()]) != type_name:
                continue
        if may_expire and is_over(ctx, db, key):
            db.peek(key)
            continue
        found.append(key)
    return [b"%d" % position, found]


HANDLERS: Final[dict[bytes, Handler]] = {
    b"scan": scan,
}
