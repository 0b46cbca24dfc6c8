"""The table of directives. Names and defaults are compared with redis-server's in tests/differential/test_config.py."""

from redrock.config.directives import (
    DIRECTIVES,
    IMMUTABLE,
    MULTI_ARG,
    OWN,
    PROTECTED,
    RETIRED_NAMES,
    SENSITIVE,
    Directive,
)


def by_name(name: str) -> Directive:
    (found,) = [directive for directive in DIRECTIVES if directive.name == name]
    return found


def test_names_and_aliases_are_unique() -> None:
    names = [name for directive in DIRECTIVES for name in (directive.name, directive.alias) if name]
    assert len(names) == len(set(names))
    assert not RETIRED_NAMES.intersection(name.encode() for name in names)
    assert by_name("replica-read-only").alias == "slave-read-only"


def test_redis_knows_178_directives_and_we_add_eight() -> None:
    assert sum(1 for directive in DIRECTIVES if not directive.flags & OWN) == 178
    assert sorted(directive.name for directive in DIRECTIVES if directive.flags & OWN) == [
        "hash-max-rock-entries",
        "maxpsmem",
        "maxrockmem",
        "rock-min-hot-keys",
        "rock-min-value-size",
        "rockdir",
        "snapshot-method",
        "statsd",
    ]


def test_flags_that_protect() -> None:
    assert {directive.name for directive in DIRECTIVES if directive.flags & SENSITIVE} == {
        "masterauth",
        "masteruser",
        "requirepass",
    }
    assert {directive.name for directive in DIRECTIVES if directive.flags & PROTECTED} == {"dbfilename", "dir"}
    assert by_name("databases").flags & IMMUTABLE
    assert by_name("rockdir").flags & IMMUTABLE
    assert not by_name("maxrockmem").flags & IMMUTABLE


def test_every_default_can_be_printed_and_read_back() -> None:
    for directive in DIRECTIVES:
        if directive.name in ("dir", "replicaof"):
            continue
        printed = directive.kind.format(directive.default)
        words = printed.split(b" ") if directive.flags & MULTI_ARG else [printed]
        assert directive.kind.parse(words, directive.default) == directive.default, directive.name
