"""COMMAND and its subcommands: each reply beside that of a live redis-server, in both protocol versions."""

from types import SimpleNamespace

import pytest

from redrock import errors
from redrock.commands.table import build_table
from redrock.errors import ReplyError
from redrock.resp.encoder import encode_reply

OWN = {b"purgerocksdb", b"rockall", b"rockevict", b"rockmem", b"rockstat"}
TABLE = build_table()
REDIS_NAMES = [command.name for command in TABLE.everything() if command.group != b"rock"]


@pytest.fixture
def ours(typed_reply):
    """ours(resp, *argv): the encoded answer of the handler, read back. The handlers touch nothing but the table."""

    def ask(resp: int, *argv: bytes):
        command = TABLE.find(list(argv))
        assert command is not None
        assert command.handler is not None
        if not command.accepts(len(argv)):
            return b"-", errors.wrong_arity(command.name)  # as the dispatcher does
        try:
            reply = command.handler(SimpleNamespace(table=TABLE), list(argv))
        except ReplyError as error:
            return b"-", error.text
        return typed_reply(encode_reply(reply, resp))

    return ask


@pytest.fixture(params=[2, 3])
def both(request, ours, redis_resp2, redis_resp3):
    """both(*argv): our answer and redis-server's, in one protocol version."""
    theirs = redis_resp2 if request.param == 2 else redis_resp3
    return lambda *argv: (ours(request.param, *argv), theirs.ask(*argv))


def as_pairs(reply) -> dict:
    """A map, or the flat array that it is in RESP2, as a dict of names."""
    kind, items = reply
    assert kind in (b"%", b"*")
    return {key[1]: value for key, value in zip(items[::2], items[1::2], strict=True)}


def in_order(info):
    """A row of COMMAND INFO with its subcommands sorted, and the notes of key specs blanked: they are our own words."""
    kind, parts = info
    if parts is None or kind == b"_":
        return info
    specs_kind, specs = parts[8]
    specs = [(spec_kind, blank_notes(spec)) for spec_kind, spec in specs]
    subcommands_kind, subcommands = parts[9]
    subcommands = sorted((in_order(subcommand) for subcommand in subcommands), key=lambda each: each[1][0])
    return kind, [*parts[:8], (specs_kind, specs), (subcommands_kind, subcommands)]


def blank_notes(spec: list) -> list:
    if spec[0] != (b"$", b"notes"):
        return spec
    kind, text = spec[1]
    assert text
    return [spec[0], (kind, b""), *spec[2:]]


class TestInfo:
    @pytest.mark.parametrize("name", REDIS_NAMES)
    def test_every_command(self, both, name: bytes) -> None:
        (our_kind, [our_info]), (kind, [info]) = both(b"COMMAND", b"INFO", name)
        assert our_kind == kind
        assert in_order(our_info) == in_order(info)

    def test_names(self, both) -> None:
        mine, theirs = both(b"command", b"info", b"nope", b"GET", b"config|GET", b"get|x", b"a|b|c", b"", b"get")
        assert [in_order(info) for info in mine[1]] == [in_order(info) for info in theirs[1]]

    @pytest.mark.parametrize("argv", [[b"command"], [b"command", b"info"]])
    def test_all_at_once(self, both, argv: list[bytes]) -> None:
        mine, theirs = both(*argv)
        assert mine[0] == theirs[0]
        mine = sorted((in_order(info) for info in mine[1]), key=lambda info: info[1][0])
        theirs = sorted((in_order(info) for info in theirs[1]), key=lambda info: info[1][0])
        assert [info for info in mine if info[1][0][1] not in OWN] == theirs
        assert {info[1][0][1] for info in mine} >= OWN


def test_count(ours, redis_resp2) -> None:
    assert ours(2, b"command", b"count") == (b":", 240 + len(OWN))
    assert redis_resp2.ask(b"command", b"count") == (b":", 240)


class TestList:
    @pytest.mark.parametrize(
        "argv",
        [
            b"",
            b"FILTERBY ACLCAT hash",
            b"filterby aclcat READ",
            b"filterby aclcat @read",
            b"filterby aclcat nope",
            b"filterby pattern *",
            b"filterby pattern C*|*t",
            b"filterby pattern x[ag]*",
            b"filterby pattern nope",
            b"filterby module nope",
            b"filterby",
            b"filterby aclcat",
            b"filterby nope x",
            b"filterby pattern a filterby pattern b",
            b"pattern a b",
            b"nope",
        ],
    )
    def test_filters(self, both, argv: bytes) -> None:
        mine, theirs = both(b"COMMAND", b"LIST", *argv.split())
        assert mine[0] == theirs[0]
        if mine[0] == b"-":
            assert mine == theirs
        else:
            names = {name for _kind, name in mine[1]}
            assert names - OWN == {name for _kind, name in theirs[1]}
            assert len(names) == len(mine[1])


KEY_CALLS = [
    b"get k",
    b"GET",
    b"get a b",
    b"mget a b c",
    b"mset a 1 b 2",
    b"mset a 1 b",
    b"set k v",
    b"set k v ex 10 GET",
    b"set k get",
    b"rename a b",
    b"ping",
    b"nope",
    b"config get x",
    b"config nope x",
    b"config",
    b"object freq k",
    b"object help",
    b"memory usage k samples 5",
    b"xgroup create s g $",
    b"blpop a b 0",
    b"blpop a",
    b"lmpop 2 a b left",
    b"lmpop 3 a b left",
    b"blmpop 0 2 a b left",
    b"bzmpop 0 1 a max",
    b"zmpop 1x a max",
    b"zunion 2 a b",
    b"zunion 02 a b",
    b"zunion 3 a b",
    b"zunion x a b",
    b"zunion -1 a b",
    b"zunionstore d 2 a b weights 1 2",
    b"zunionstore d 2x a b",
    b"zdiffstore d 9 a b",
    b"sintercard 2 a b limit 1",
    b"sinterstore d a b",
    b"bitop and d a b",
    b"eval s 0",
    b"eval s 0 a",
    b"eval s 2 a b c",
    b"eval s 5 a b",
    b"eval s x a",
    b"evalsha_ro s 1 a",
    b"fcall f 1 a",
    b"fcall f nope",
    b"sort k",
    b"sort k by w get o store d",
    b"sort k store d store e",
    b"sort k limit 0 store get store d",
    b"sort k store",
    b"sort_ro k get x",
    b"migrate h 1 k 0 10",
    b"migrate h 1 k 0 10 copy keys a b",
    b"migrate h 1 k 0 10 auth keys replace",
    b"georadius g 1 2 3 km",
    b"georadius g 1 2 3 km store d",
    b"georadius g 1 2 3 km store d storedist e",
    b"georadius g 1 2 3 km store",
    b"georadiusbymember g m 3 km count 1 STOREDIST e",
    b"xread streams a b 1 2",
    b"xread count 1 block 0 streams a 1",
    b"xread streams a b 1",
    b"xread count streams streams a 1",
    b"xreadgroup group streams c streams streams >",
    b"xreadgroup group g c noack streams a b > >",
    b"xread nope streams a 1",
    b"bitfield k get u8 0",
    b"bitfield k overflow sat incrby u8 0 1",
    b"bitfield k get u8",
    b"bitfield k nope",
    b"spublish c m",
    b"publish c m",
    b"pfmerge d a",
    b"pfmerge d",
    b"command getkeys get k",
    b"debug object k",
    b"lcs a b",
    b"restore-asking k 0 x",
    b"copy a b",
]


class TestGetkeys:
    @pytest.mark.parametrize("call", KEY_CALLS)
    @pytest.mark.parametrize("subcommand", [b"getkeys", b"getkeysandflags"])
    def test_calls(self, both, subcommand: bytes, call: bytes) -> None:
        mine, theirs = both(b"command", subcommand, *call.split())
        assert mine == theirs

    def test_migrate_of_several_keys(self, both) -> None:
        """The place of the single key is an empty argument then."""
        mine, theirs = both(b"command", b"getkeys", *b"migrate h 1".split(), b"", *b"0 10 auth2 u p keys a b".split())
        assert mine == theirs
        assert mine[0] == b"*"


def facts_of(doc) -> dict:
    """What must be equal in COMMAND DOCS; of texts only that they are there."""
    fields = as_pairs(doc)
    facts = {name: fields[name] for name in (b"since", b"group", b"doc_flags", b"deprecated_since") if name in fields}
    for name in (b"summary", b"complexity", b"replaced_by"):
        if name in fields:
            kind, text = fields[name]
            assert text
            facts[name] = kind
    if b"history" in fields:
        kind, changes = fields[b"history"]
        facts[b"history"] = kind, [(change_kind, version) for change_kind, (version, _text) in changes]
    facts[b"arguments"] = fields.get(b"arguments")
    if b"subcommands" in fields:
        facts[b"kind"] = fields[b"subcommands"][0]
        facts[b"subcommands"] = {name: facts_of(sub) for name, sub in as_pairs(fields[b"subcommands"]).items()}
    facts[b"order"] = list(fields)
    return facts


class TestDocs:
    def test_every_command(self, both) -> None:
        mine, theirs = both(b"command", b"docs")
        assert mine[0] == theirs[0]
        mine, theirs = as_pairs(mine), as_pairs(theirs)
        assert set(mine) - OWN == set(theirs)
        for name in theirs:
            assert facts_of(mine[name]) == facts_of(theirs[name]), name
        for name in OWN:
            assert {b"summary", b"since", b"group", b"complexity"} <= set(as_pairs(mine[name]))

    def test_summaries_are_our_own_words(self, ours, redis_resp2) -> None:
        mine, theirs = as_pairs(ours(2, b"command", b"docs")), as_pairs(redis_resp2.ask(b"command", b"docs"))
        for name in theirs:
            summary, other = as_pairs(mine[name])[b"summary"][1], as_pairs(theirs[name])[b"summary"][1]
            assert summary.lower().rstrip(b".") != other.lower().rstrip(b".")
            assert b"\n" not in summary

    def test_names(self, both) -> None:
        mine, theirs = both(b"command", b"docs", b"nope", b"GET", b"client|ID", b"get|x", b"get")
        assert mine[0] == theirs[0]
        assert mine[1][::2] == theirs[1][::2]

    def test_none_found(self, both) -> None:
        mine, theirs = both(b"command", b"docs", b"nope")
        assert mine == theirs


def test_help(both) -> None:
    (our_kind, mine), (kind, theirs) = both(b"Command", b"help")
    assert our_kind == kind
    assert mine[0] == theirs[0]
    assert mine[-2:] == theirs[-2:]
    subcommands = {line[1].split()[0] for line in theirs if not line[1].startswith(b" ")}
    assert {line[1].split()[0] for line in mine if not line[1].startswith(b" ")} == subcommands
