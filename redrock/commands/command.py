"""One command: its facts (what COMMAND prints, and a few that Redis keeps to itself), its handler, its statistics.

Facts come from `facts/<group>.json` by way of `table`; handlers are bound by `table` from the HANDLERS of the group's
module. Source: Redis 7.0.15, server.h, struct redisCommand, and server.c, populateCommandStructure.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias, final

from mypy_extensions import i64

from redrock.commands.key_specs import (
    BEGIN_INDEX,
    FIND_RANGE,
    KEY_INCOMPLETE,
    KEY_NOT_KEY,
    KEY_RO,
    KEY_RW,
    KEY_VARIABLE_FLAGS,
    KeyFinder,
    KeyPlace,
    KeySpec,
    places_by_specs,
)
from redrock.monitoring.latency_histogram import LatencyHistogram
from redrock.resp.reply import Reply

if TYPE_CHECKING:
    from redrock.commands.context import Context

Handler: TypeAlias = "Callable[[Context, list[bytes]], Reply]"

WRITE: Final = 1 << 0
READONLY: Final = 1 << 1
DENYOOM: Final = 1 << 2
MODULE: Final = 1 << 3
ADMIN: Final = 1 << 4
PUBSUB: Final = 1 << 5
NOSCRIPT: Final = 1 << 6
BLOCKING: Final = 1 << 8
LOADING: Final = 1 << 9
STALE: Final = 1 << 10
SKIP_MONITOR: Final = 1 << 11
SKIP_SLOWLOG: Final = 1 << 12
ASKING: Final = 1 << 13
FAST: Final = 1 << 14
NO_AUTH: Final = 1 << 15
MAY_REPLICATE: Final = 1 << 16
SENTINEL: Final = 1 << 17
ONLY_SENTINEL: Final = 1 << 18
NO_MANDATORY_KEYS: Final = 1 << 19
PROTECTED: Final = 1 << 20
NO_ASYNC_LOADING: Final = 1 << 23
NO_MULTI: Final = 1 << 24
MOVABLEKEYS: Final = 1 << 25
ALLOW_BUSY: Final = 1 << 26
TOUCHES_ARBITRARY_KEYS: Final = 1 << 28

# In the order in which COMMAND INFO prints them.
FLAG_NAMES: Final = (
    (WRITE, b"write"),
    (READONLY, b"readonly"),
    (DENYOOM, b"denyoom"),
    (MODULE, b"module"),
    (ADMIN, b"admin"),
    (PUBSUB, b"pubsub"),
    (NOSCRIPT, b"noscript"),
    (BLOCKING, b"blocking"),
    (LOADING, b"loading"),
    (STALE, b"stale"),
    (SKIP_MONITOR, b"skip_monitor"),
    (SKIP_SLOWLOG, b"skip_slowlog"),
    (ASKING, b"asking"),
    (FAST, b"fast"),
    (NO_AUTH, b"no_auth"),
    (NO_MANDATORY_KEYS, b"no_mandatory_keys"),
    (NO_ASYNC_LOADING, b"no_async_loading"),
    (NO_MULTI, b"no_multi"),
    (MOVABLEKEYS, b"movablekeys"),
    (ALLOW_BUSY, b"allow_busy"),
)

# What steers Redis from within and COMMAND does not show.
HIDDEN_FLAG_NAMES: Final = (
    (MAY_REPLICATE, b"may_replicate"),
    (SENTINEL, b"sentinel"),
    (ONLY_SENTINEL, b"only_sentinel"),
    (PROTECTED, b"protected"),
    (TOUCHES_ARBITRARY_KEYS, b"touches_arbitrary_keys"),
)

ACL_KEYSPACE: Final = 1 << 0
ACL_READ: Final = 1 << 1
ACL_WRITE: Final = 1 << 2
ACL_SET: Final = 1 << 3
ACL_SORTEDSET: Final = 1 << 4
ACL_LIST: Final = 1 << 5
ACL_HASH: Final = 1 << 6
ACL_STRING: Final = 1 << 7
ACL_BITMAP: Final = 1 << 8
ACL_HYPERLOGLOG: Final = 1 << 9
ACL_GEO: Final = 1 << 10
ACL_STREAM: Final = 1 << 11
ACL_PUBSUB: Final = 1 << 12
ACL_ADMIN: Final = 1 << 13
ACL_FAST: Final = 1 << 14
ACL_SLOW: Final = 1 << 15
ACL_BLOCKING: Final = 1 << 16
ACL_DANGEROUS: Final = 1 << 17
ACL_CONNECTION: Final = 1 << 18
ACL_TRANSACTION: Final = 1 << 19
ACL_SCRIPTING: Final = 1 << 20

# Bit n is the n-th name: the order of ACL CAT and of COMMAND INFO.
ACL_CATEGORY_NAMES: Final = (
    (ACL_KEYSPACE, b"keyspace"),
    (ACL_READ, b"read"),
    (ACL_WRITE, b"write"),
    (ACL_SET, b"set"),
    (ACL_SORTEDSET, b"sortedset"),
    (ACL_LIST, b"list"),
    (ACL_HASH, b"hash"),
    (ACL_STRING, b"string"),
    (ACL_BITMAP, b"bitmap"),
    (ACL_HYPERLOGLOG, b"hyperloglog"),
    (ACL_GEO, b"geo"),
    (ACL_STREAM, b"stream"),
    (ACL_PUBSUB, b"pubsub"),
    (ACL_ADMIN, b"admin"),
    (ACL_FAST, b"fast"),
    (ACL_SLOW, b"slow"),
    (ACL_BLOCKING, b"blocking"),
    (ACL_DANGEROUS, b"dangerous"),
    (ACL_CONNECTION, b"connection"),
    (ACL_TRANSACTION, b"transaction"),
    (ACL_SCRIPTING, b"scripting"),
)


@final
class Command:
    """A command or subcommand. Facts do not change after construction; handler and statistics do.

    ``arity`` counts the command's name (and the subcommand's); negative: at least that many.
    ``first_key``, ``last_key``, ``key_step`` are the old way to say where keys are: one range over all specs that are
    plain, 0 if there is none. They tell all keys unless MOVABLEKEYS is set.
    """

    def __init__(
        self,
        name: bytes,
        arity: int,
        flags: int,
        acl_categories: int,
        key_specs: list[KeySpec],
        first_key: int,
        last_key: int,
        key_step: int,
        tips: list[bytes],
        group: bytes,
        since: bytes,
        metadata_only: bool = False,
        key_finder: KeyFinder | None = None,
    ) -> None:
        self.name = name
        self.arity: i64 = arity
        self.flags: i64 = flags
        self.acl_categories: i64 = acl_categories
        self.key_specs = key_specs
        self.first_key: i64 = first_key
        self.last_key: i64 = last_key
        self.key_step: i64 = key_step
        self.tips = tips
        self.group = group
        self.since = since
        self.key_finder = key_finder
        self.parent: Command | None = None
        self.subcommands: dict[bytes, Command] | None = None
        self.handler: Handler | None = None
        # True if this command or one of its subcommands has a handler.
        self.available = False

        seen = 0
        only_such = True
        for spec in key_specs:
            seen |= spec.flags
            if not spec.flags & KEY_NOT_KEY:
                only_such = False
        self._has_real_specs = not only_such
        self._specs_tell_flags = not only_such and not seen & KEY_VARIABLE_FLAGS
        self._range_tells_all = first_key > 0 and not flags & MOVABLEKEYS and not seen & (KEY_NOT_KEY | KEY_INCOMPLETE)
        self._one_key_at: i64 = 0
        if self._range_tells_all and len(key_specs) == 1 and first_key == last_key:
            self._one_key_at = first_key
        # True if the command reads or changes the values of keys, not only whether and until when they exist.
        self.needs_values = not metadata_only and any(_reads_value(spec.flags) for spec in key_specs)
        self._all_keys_need_values = self.needs_values and all(_reads_value(spec.flags) for spec in key_specs)

        self.calls: i64 = 0
        self.microseconds: i64 = 0
        self.rejected_calls: i64 = 0
        self.failed_calls: i64 = 0
        self.latency: LatencyHistogram | None = None  # made at the first call

    def __repr__(self) -> str:
        return f"Command({self.name!r})"

    def reset_statistics(self) -> None:
        """CONFIG RESETSTAT, for this command alone."""
        self.calls = 0
        self.microseconds = 0
        self.rejected_calls = 0
        self.failed_calls = 0
        self.latency = None

    def accepts(self, argc: i64) -> bool:
        """Whether argc, the name counted, fits the arity."""
        arity = self.arity
        return argc == arity if arity > 0 else argc >= -arity

    def has_keys(self) -> bool:
        """Whether some arguments of it can be keys."""
        return self._has_real_specs or self.key_finder is not None

    def keys(self, argv: list[bytes]) -> list[bytes]:
        """The keys in argv, in the order of the specs; empty where argv is not well-formed. O(argc).

        It may be called before the arity is checked, but then some keys may be missing.
        """
        at = self._one_key_at
        if at > 0:
            return [argv[at]] if at < len(argv) else []
        if self._range_tells_all:
            argc: i64 = len(argv)
            first = self.first_key
            last = self.last_key
            if last < 0:
                last += argc
            if last >= argc or last < first:
                return []
            step = self.key_step
            if step == 1:
                return argv[first : last + 1]
            return argv[first : last + 1 : step]
        if not self.has_keys():
            return []
        return [argv[place[0]] for place in self.key_places(argv)]

    def key_places(self, argv: list[bytes], include_not_keys: bool = False) -> list[KeyPlace]:
        """Index in argv and KEY_ flags of every key. Flags are 0 where neither spec nor command can tell them.

        ``include_not_keys`` adds what only chooses the hash slot (the channel of SPUBLISH), for cluster routing.
        """
        if self._specs_tell_flags or (include_not_keys and self.key_specs):
            places = places_by_specs(self.key_specs, argv, include_not_keys)
            if places is not None:
                return places
        finder = self.key_finder
        if finder is None:
            return []
        argc = len(argv)
        return [place for place in finder(argv) if place[0] < argc]

    def keys_with_flags(self, argv: list[bytes]) -> list[tuple[bytes, int]]:
        """Every key with its KEY_ flags."""
        return [(argv[place[0]], place[1]) for place in self.key_places(argv)]

    def value_keys(self, argv: list[bytes]) -> list[bytes]:
        """The keys whose values must be in memory before the handler runs: those that are not merely overwritten or
        removed. What ZUNIONSTORE reads, but not its destination."""
        if not self.needs_values:
            return []
        if self._all_keys_need_values:
            return self.keys(argv)
        return [argv[place[0]] for place in self.key_places(argv) if place[1] == 0 or _reads_value(place[1])]


def _reads_value(key_flags: int) -> bool:
    return bool(key_flags & (KEY_RO | KEY_RW)) and not key_flags & KEY_NOT_KEY


def legacy_key_range(specs: list[KeySpec]) -> tuple[int, int, int, bool]:
    """First key, last key and step of the old range form, and whether it misses keys (MOVABLEKEYS).

    Only plain specs (fixed index, range, step 1, each beginning right behind the one before) can be joined into one
    range; a single spec may have any step. Source: server.c, populateCommandLegacyRangeSpec.
    """
    if not specs:
        return 0, 0, 0, False
    only = specs[0]
    if len(specs) == 1 and only.begin_kind == BEGIN_INDEX and only.find_kind == FIND_RANGE:
        last = only.last_key + (only.index if only.last_key >= 0 else 0)
        return only.index, last, only.key_step, bool(only.flags & KEY_INCOMPLETE)
    first = 0
    last = 0
    movable = False
    for spec in specs:
        plain = spec.begin_kind == BEGIN_INDEX and spec.find_kind == FIND_RANGE and spec.key_step == 1
        if not plain or (last and last != spec.index - 1):
            movable = True
            continue
        if spec.flags & KEY_INCOMPLETE:
            movable = True
        first = min(first, spec.index) if first else spec.index
        end = spec.last_key + (spec.index if spec.last_key >= 0 else 0)
        # A negative end, counted from the end of argv, is behind every positive one.
        last = end if end < 0 or (last >= 0 and end > last) else last
    if not first:
        return 0, 0, 0, True
    return first, last, 1, movable
