"""Where keys are found in argv: rules that no call of a Redis command shows by itself."""

import pytest

from redrock.commands.key_specs import (
    BEGIN_INDEX,
    BEGIN_KEYWORD,
    FIND_KEYNUM,
    FIND_RANGE,
    KEY_FINDERS,
    KEY_INCOMPLETE,
    KEY_NOT_KEY,
    KEY_OW,
    KEY_RO,
    KeySpec,
    places_by_specs,
    strict_integer,
)


def index_range(flags: int, index: int, last_key: int, step: int = 1, limit: int = 0) -> KeySpec:
    spec = KeySpec(flags)
    spec.begin_kind, spec.index = BEGIN_INDEX, index
    spec.find_kind, spec.last_key, spec.key_step, spec.limit = FIND_RANGE, last_key, step, limit
    return spec


def after_keyword(keyword: bytes, start_from: int) -> KeySpec:
    spec = index_range(KEY_RO, 0, 0)
    spec.begin_kind, spec.keyword, spec.start_from = BEGIN_KEYWORD, keyword, start_from
    return spec


def counted(index: int) -> KeySpec:
    spec = KeySpec(KEY_RO)
    spec.begin_kind, spec.index = BEGIN_INDEX, index
    spec.find_kind, spec.key_count_index, spec.first_key, spec.key_step = FIND_KEYNUM, 0, 1, 1
    return spec


@pytest.mark.parametrize(
    ("spec", "argv", "positions"),
    [
        (index_range(KEY_RO, 1, 0), [b"c", b"k"], [1]),
        (index_range(KEY_RO, 1, 0), [b"c"], None),
        (index_range(KEY_RO, 1, -1), [b"c", b"k", b"l", b"m"], [1, 2, 3]),
        (index_range(KEY_RO, 1, -2), [b"c", b"k", b"l", b"m"], [1, 2]),
        (index_range(KEY_RO, 1, -2), [b"c", b"k"], None),
        (index_range(KEY_RO, 1, -1, step=2), [b"c", b"k", b"v", b"l", b"w"], [1, 3]),
        (index_range(KEY_RO, 1, -1, limit=2), [b"c", b"k", b"l", b"1", b"2"], [1, 2]),
        (after_keyword(b"K", 1), [b"c", b"x", b"k", b"key"], [3]),
        (after_keyword(b"K", 1), [b"c", b"x", b"key"], []),
        # The last argument cannot be a keyword: no key follows it.
        (after_keyword(b"K", 1), [b"c", b"x", b"k"], []),
        # Backwards from the end: the keyword nearest to it.
        (after_keyword(b"K", -2), [b"c", b"k", b"1", b"k", b"2"], [4]),
        (counted(1), [b"c", b"2", b"a", b"b", b"rest"], [2, 3]),
        (counted(1), [b"c", b"3", b"a", b"b"], None),
        (counted(1), [b"c", b"0", b"a"], None),
        (counted(1), [b"c", b"-1", b"a"], None),
        (counted(1), [b"c", b"02", b"a", b"b"], None),
        (counted(1), [b"c"], None),
        (KeySpec(KEY_RO), [b"c", b"k"], None),
    ],
)
def test_one_spec(spec: KeySpec, argv: list[bytes], positions: list[int] | None) -> None:
    places = places_by_specs([spec], argv)
    assert (None if places is None else [place[0] for place in places]) == positions


def test_specs_that_cannot_tell_can_be_skipped() -> None:
    specs = [KeySpec(KEY_RO), index_range(KEY_OW | KEY_INCOMPLETE, 1, 0), index_range(KEY_RO, 2, 0)]
    argv = [b"c", b"k", b"l"]
    assert places_by_specs(specs, argv) is None
    assert places_by_specs(specs, argv, partial=True) == [(1, KEY_OW | KEY_INCOMPLETE), (2, KEY_RO)]


def test_what_is_routed_like_a_key_is_found_on_request() -> None:
    specs = [index_range(KEY_NOT_KEY, 1, 0)]
    assert places_by_specs(specs, [b"c", b"channel"]) == []
    assert places_by_specs(specs, [b"c", b"channel"], include_not_keys=True) == [(1, KEY_NOT_KEY)]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        (b"0", 0),
        (b"12", 12),
        (b"-12", -12),
        (b"9223372036854775807", 2**63 - 1),
        (b"-9223372036854775808", -(2**63)),
        (b"9223372036854775808", None),
        (b"-0", None),
        (b"01", None),
        (b"+1", None),
        (b" 1", None),
        (b"1x", None),
        (b"-", None),
        (b"", None),
        (b"1_0", None),
    ],
)
def test_strict_integer(text: bytes, number: int | None) -> None:
    assert strict_integer(text) == number


@pytest.mark.parametrize(
    ("count", "found"),
    [
        (b"1x", 1),
        (b"\t +2", 2),
        (b"02", 2),
        (b"x", 0),
        (b"-1", 0),
        (b"4", 0),
        (b"4294967297", 1),  # wraps at 32 bits, as C's int does
        (b"99999999999999999999", 0),
    ],
)
def test_counts_are_read_leniently_by_a_commands_own_function(count: bytes, found: int) -> None:
    assert len(KEY_FINDERS[b"zunion"]([b"zunion", count, b"a", b"b", b"c"])) == found


def test_functions_bear_argv_of_any_length() -> None:
    """They are asked before anybody has checked the arity."""
    for name, finder in KEY_FINDERS.items():
        for argc in range(1, 8):
            for filler in (b"x", b"1", b"get", b"store", b"streams", b"keys", b""):
                for place, _flags in finder([name] + [filler] * (argc - 1)):
                    assert place >= 1
