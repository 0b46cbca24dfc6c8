"""Where the keys are in argv: key specs, and the few commands whose specs cannot tell.

A key spec is two steps: `begin_search` finds the first key (a fixed index, or the argument after a keyword) and
`find_keys` says how many follow (a range with a step, or a count given in an argument). Specs marked INCOMPLETE or
VARIABLE_FLAGS, and arguments that a spec cannot make sense of, are left to a function of the command's own
(`KEY_FINDERS`).

A place of a key is a pair: its index in argv, and the KEY_ flags that tell what the command does with it.
Source: Redis 7.0.15, db.c, getKeysFromCommandWithSpecs and the functions around it. Knows no Command and no client.
"""

from collections.abc import Callable
from typing import Final, TypeAlias, final

from mypy_extensions import i64

KEY_RO: Final = 1 << 0
KEY_RW: Final = 1 << 1
KEY_OW: Final = 1 << 2
KEY_RM: Final = 1 << 3
KEY_ACCESS: Final = 1 << 4
KEY_UPDATE: Final = 1 << 5
KEY_INSERT: Final = 1 << 6
KEY_DELETE: Final = 1 << 7
KEY_NOT_KEY: Final = 1 << 8
KEY_INCOMPLETE: Final = 1 << 9
KEY_VARIABLE_FLAGS: Final = 1 << 10

# In the order in which COMMAND INFO and GETKEYSANDFLAGS print them.
KEY_FLAG_NAMES: Final = (
    (KEY_RO, b"RO"),
    (KEY_RW, b"RW"),
    (KEY_OW, b"OW"),
    (KEY_RM, b"RM"),
    (KEY_ACCESS, b"access"),
    (KEY_UPDATE, b"update"),
    (KEY_INSERT, b"insert"),
    (KEY_DELETE, b"delete"),
    (KEY_NOT_KEY, b"not_key"),
    (KEY_INCOMPLETE, b"incomplete"),
    (KEY_VARIABLE_FLAGS, b"variable_flags"),
)

BEGIN_UNKNOWN: Final = 0
BEGIN_INDEX: Final = 1
BEGIN_KEYWORD: Final = 2

FIND_UNKNOWN: Final = 0
FIND_RANGE: Final = 1
FIND_KEYNUM: Final = 2

KeyPlace: TypeAlias = tuple[int, int]
KeyFinder: TypeAlias = Callable[[list[bytes]], list[KeyPlace]]


@final
class KeySpec:
    """One key spec. Fields of the steps that do not apply to its kinds are 0 or empty."""

    def __init__(self, flags: int, notes: bytes = b"") -> None:
        self.flags: Final = flags
        self.notes: Final = notes
        self.begin_kind = BEGIN_UNKNOWN
        self.index = 0  # BEGIN_INDEX: of the first key, argv[0] being the command
        self.keyword = b""  # BEGIN_KEYWORD: upper case
        self.start_from = 0  # BEGIN_KEYWORD: where to begin looking; negative: from the end, going backwards
        self.find_kind = FIND_UNKNOWN
        self.last_key = 0  # FIND_RANGE: relative to the first key; negative: relative to the end of argv
        self.key_step = 0
        self.limit = 0  # FIND_RANGE with last_key -1: only the first 1/limit of what is left is keys
        self.key_count_index = 0  # FIND_KEYNUM: relative to the place found, as is first_key
        self.first_key = 0


def _begin(spec: KeySpec, argv: list[bytes]) -> int:
    """Index of the place where the spec's keys begin; 0: the keyword is not there, -1: the spec cannot tell."""
    if spec.begin_kind == BEGIN_INDEX:
        return spec.index
    if spec.begin_kind != BEGIN_KEYWORD:
        return -1
    argc = len(argv)
    if spec.start_from > 0:
        start, end = spec.start_from, argc - 1
    else:
        start, end = argc + spec.start_from, 1
    step = 1 if start <= end else -1
    position = start
    # The end itself is not looked at, as in Redis: a keyword there would have no key behind it.
    while position != end and 1 <= position < argc:
        if argv[position].upper() == spec.keyword:
            return position + 1
        position += step
    return 0


def strict_integer(text: bytes) -> int | None:
    """A decimal number of 64 bits as Redis's string2ll takes it: no sign ``+``, no zeros in front, no blanks."""
    digits = text[1:] if text[:1] == b"-" else text
    if not digits.isdigit() or len(digits) > 19 or (digits[:1] == b"0" and len(text) > 1):
        return None
    number = int(text)
    return number if -(1 << 63) <= number < (1 << 63) else None


def places_by_specs(
    specs: list[KeySpec], argv: list[bytes], include_not_keys: bool = False, partial: bool = False
) -> list[KeyPlace] | None:
    """All key places that the specs find, or None if one of them cannot tell.

    ``partial``: skip such specs instead. ``include_not_keys``: also what is only routed like a key (SPUBLISH).
    """
    places: list[KeyPlace] = []
    argc = len(argv)
    for spec in specs:
        if spec.flags & KEY_NOT_KEY and not include_not_keys:
            continue
        first = _begin(spec, argv)
        if first == 0:
            continue
        valid = first > 0
        last = first
        if valid:
            if spec.find_kind == FIND_RANGE:
                if spec.last_key >= 0:
                    last = first + spec.last_key
                elif spec.limit == 0:
                    last = argc + spec.last_key
                else:
                    last = first + (argc - first) // spec.limit + spec.last_key
            elif spec.find_kind == FIND_KEYNUM and first + spec.key_count_index < argc:
                count = strict_integer(argv[first + spec.key_count_index])
                if count is None or count < 0:
                    valid = False
                else:
                    first += spec.first_key
                    last = first + count - 1
            else:
                valid = False
        if valid and first <= last < argc:
            flags = spec.flags
            places += [(position, flags) for position in range(first, last + 1, spec.key_step)]
            valid = not flags & KEY_INCOMPLETE
        else:
            valid = False
        if not valid and not partial:
            return None
    return places


# --- Commands that find their keys by a function of their own


def _leading_integer(text: bytes) -> int:
    """C's atoi: blanks, a sign, as many digits as there are; 0 if there are none. The result wraps at 32 bits as a C
    int does on the machines Redis runs on."""
    position: i64 = 0
    size: i64 = len(text)
    while position < size and text[position] in b" \t\n\v\f\r":
        position += 1
    negative = position < size and text[position] == 45
    if position < size and text[position] in b"+-":
        position += 1
    number = 0
    while position < size and 48 <= text[position] <= 57:
        number = min(number * 10 + text[position] - 48, 1 << 63)
        position += 1
    # strtol, which atoi is, stops at the ends of 64 bits before the int is cut off.
    number = max(-number, -(1 << 63)) if negative else min(number, (1 << 63) - 1)
    return (number + (1 << 31)) % (1 << 32) - (1 << 31)


def _counted(argv: list[bytes], store_at: int, count_at: int, first: int) -> list[KeyPlace]:
    """The keys after a count, and the destination behind them. Flags are not known here."""
    count = _leading_integer(argv[count_at]) if count_at < len(argv) else 0
    if count < 1 or count > len(argv) - first:
        return []
    places = [(position, 0) for position in range(first, first + count)]
    if store_at:
        places.append((store_at, 0))
    return places


def _count_first(argv: list[bytes]) -> list[KeyPlace]:
    """ZUNION numkeys key [key ...]"""
    return _counted(argv, 0, 1, 2)


def _count_second(argv: list[bytes]) -> list[KeyPlace]:
    """EVAL script numkeys [key ...], BLMPOP timeout numkeys key [key ...]"""
    return _counted(argv, 0, 2, 3)


def _count_after_destination(argv: list[bytes]) -> list[KeyPlace]:
    """ZUNIONSTORE destination numkeys key [key ...]"""
    return _counted(argv, 1, 2, 3)


def _sort_ro(argv: list[bytes]) -> list[KeyPlace]:
    """SORT_RO key ...: the keys that BY and GET reach cannot be known."""
    return [(1, KEY_RO | KEY_ACCESS)]


def _sort(argv: list[bytes]) -> list[KeyPlace]:
    """SORT key ... STORE destination: the last STORE counts."""
    places = [(1, KEY_RO | KEY_ACCESS)]
    store_at = 0
    position = 2
    while position < len(argv):
        option = argv[position].upper()
        if option == b"LIMIT":
            position += 2
        elif option in (b"GET", b"BY"):
            position += 1
        elif option == b"STORE" and position + 1 < len(argv):
            # The argument is not skipped: `STORE get x` reads `get` as an option too, as Redis does.
            store_at = position + 1
        position += 1
    if store_at:
        places.append((store_at, KEY_OW | KEY_UPDATE))
    return places


def _migrate(argv: list[bytes]) -> list[KeyPlace]:
    """MIGRATE host port key db timeout ..., or an empty key and KEYS key [key ...] at the end"""
    first, count = 3, 1
    position = 6
    while position < len(argv):
        option = argv[position].upper()
        if option == b"KEYS":
            if argv[3]:
                count = 0  # a syntax error, for the command to report
            else:
                first, count = position + 1, len(argv) - position - 1
            break
        if option == b"AUTH":
            position += 1
        elif option == b"AUTH2":
            position += 2
        position += 1
    return [(place, KEY_RW | KEY_ACCESS | KEY_DELETE) for place in range(first, first + count)]


def _georadius(argv: list[bytes]) -> list[KeyPlace]:
    """GEORADIUS key ... STORE or STOREDIST destination: the last one counts."""
    places = [(1, 0)]
    store_at = 0
    position = 5
    while position < len(argv):
        if position + 1 < len(argv) and argv[position].upper() in (b"STORE", b"STOREDIST"):
            position += 1
            store_at = position
        position += 1
    if store_at:
        places.append((store_at, 0))
    return places


def _xread(argv: list[bytes]) -> list[KeyPlace]:
    """XREAD ... STREAMS key [key ...] id [id ...]: STREAMS may also be the name of a group or of a key."""
    position = 1
    streams_at = 0
    while position < len(argv):
        option = argv[position].upper()
        if option in (b"BLOCK", b"COUNT"):
            position += 1
        elif option == b"GROUP":
            position += 2
        elif option == b"STREAMS":
            streams_at = position
            break
        elif option != b"NOACK":
            break
        position += 1
    rest = len(argv) - streams_at - 1
    if streams_at == 0 or rest == 0 or rest % 2:
        return []
    return [(place, 0) for place in range(streams_at + 1, streams_at + 1 + rest // 2)]


def _set(argv: list[bytes]) -> list[KeyPlace]:
    """SET key value [GET]: with GET the old value is read."""
    for position in range(3, len(argv)):
        if argv[position].upper() == b"GET":
            return [(1, KEY_RW | KEY_ACCESS | KEY_UPDATE)]
    return [(1, KEY_OW | KEY_UPDATE)]


def _bitfield(argv: list[bytes]) -> list[KeyPlace]:
    """BITFIELD key ...: read-only if nothing but GET is asked; what is not understood counts as a change."""
    readonly = True
    position = 2
    while position < len(argv) and readonly:
        option = argv[position].upper()
        left = len(argv) - position - 1
        if option == b"GET" and left >= 2:
            position += 2
        elif option == b"OVERFLOW" and left >= 1:
            position += 1
        else:
            readonly = False
        position += 1
    return [(1, KEY_RO | KEY_ACCESS if readonly else KEY_RW | KEY_ACCESS | KEY_UPDATE)]


KEY_FINDERS: Final[dict[bytes, KeyFinder]] = {
    b"bitfield": _bitfield,
    b"blmpop": _count_second,
    b"bzmpop": _count_second,
    b"eval": _count_second,
    b"eval_ro": _count_second,
    b"evalsha": _count_second,
    b"evalsha_ro": _count_second,
    b"fcall": _count_second,
    b"fcall_ro": _count_second,
    b"georadius": _georadius,
    b"georadiusbymember": _georadius,
    b"lmpop": _count_first,
    b"migrate": _migrate,
    b"set": _set,
    b"sintercard": _count_first,
    b"sort": _sort,
    b"sort_ro": _sort_ro,
    b"xread": _xread,
    b"xreadgroup": _xread,
    b"zdiff": _count_first,
    b"zdiffstore": _count_after_destination,
    b"zinter": _count_first,
    b"zintercard": _count_first,
    b"zinterstore": _count_after_destination,
    b"zmpop": _count_first,
    b"zunion": _count_first,
    b"zunionstore": _count_after_destination,
}
