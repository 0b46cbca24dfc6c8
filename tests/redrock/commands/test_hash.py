"""Hash commands: reply, dataset, propagation, events. Replies in full are compared with redis-server's elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from redrock import errors
from redrock.commands.hash import HANDLERS
from redrock.datatypes.hash import HashValue
from redrock.keyspace.database import ColdRead
from redrock.resp.reply import OK, MapReply

if TYPE_CHECKING:
    from tests.redrock.commands.conftest import CommandRunner


def words(*lines: str) -> list[list[bytes]]:
    return [line.encode().split() for line in lines]


def content(runner: CommandRunner, key: bytes = b"h") -> dict[bytes, bytes] | None:
    value = runner.db.table.get(key)
    if value is None:
        return None
    assert isinstance(value, HashValue)
    value.check_invariants()
    return dict(value.items())


def test_hset_counts_new_fields_and_all_changes(runner: CommandRunner) -> None:
    assert runner.run("hset", "h", "a", "1", "b", "2") == 2
    assert runner.run("HSET", "h", "a", "3", "c", "4", "c", "5") == 1
    assert content(runner) == {b"a": b"3", b"b": b"2", b"c": b"5"}
    assert runner.keyspace.dirty == 5
    assert runner.propagated() == words("hset h a 1 b 2", "HSET h a 3 c 4 c 5")
    assert runner.events() == [(b"0__:new", b"h"), (b"0__:hset", b"h"), (b"0__:hset", b"h")]


def test_hmset_answers_ok(runner: CommandRunner) -> None:
    assert runner.run("HMSET", "h", "a", "1") is OK
    assert runner.events() == [(b"0__:new", b"h"), (b"0__:hset", b"h")]
    assert runner.run("HMSET", "h", "a", "1", "b") == errors.wrong_arity(b"hmset")


def test_hsetnx_leaves_what_is_there(runner: CommandRunner) -> None:
    assert runner.run("HSETNX", "h", "a", "1") == 1
    runner.propagated()
    runner.events()
    assert runner.run("HSETNX", "h", "a", "2") == 0
    assert content(runner) == {b"a": b"1"}
    assert runner.propagated() == []
    assert runner.events() == []


def test_hdel_removes_a_hash_with_its_last_field(runner: CommandRunner) -> None:
    runner.run("HSET", "h", "a", "1", "b", "2", "c", "3")
    runner.run("EXPIRE", "h", "100")
    runner.propagated()
    runner.events()
    assert runner.run("HDEL", "h", "a", "nosuch") == 1
    assert runner.run("HDEL", "h", "b", "c", "d") == 2
    assert content(runner) is None
    assert runner.db.expire_at(b"h") == -1
    assert runner.propagated() == words("HDEL h a nosuch", "HDEL h b c d")
    assert runner.events() == [(b"0__:hdel", b"h"), (b"0__:hdel", b"h"), (b"0__:del", b"h")]
    assert runner.run("HDEL", "h", "a") == 0
    assert runner.propagated() == []


def test_hincrby_goes_out_as_it_came(runner: CommandRunner) -> None:
    assert runner.run("HINCRBY", "h", "n", "5") == 5
    assert runner.run("HINCRBY", "h", "n", "-7") == -2
    assert content(runner) == {b"n": b"-2"}
    assert runner.propagated() == words("HINCRBY h n 5", "HINCRBY h n -7")
    assert runner.events()[-1] == (b"0__:hincrby", b"h")


def test_hincrbyfloat_goes_out_as_its_outcome(runner: CommandRunner) -> None:
    assert runner.run("hincrbyfloat", "h", "n", "0.1") == b"0.1"
    assert runner.run("hincrbyfloat", "h", "n", "0.2") == b"0.3"
    assert content(runner) == {b"n": b"0.3"}
    assert runner.propagated() == words("HSET h n 0.1", "HSET h n 0.3")
    assert runner.events()[-1] == (b"0__:hincrbyfloat", b"h")


@pytest.mark.parametrize(
    "line", ["HINCRBY h a 1", "HINCRBYFLOAT h a 1", "HINCRBY h n x", "HINCRBYFLOAT h n inf", "HSET h a 1 b"]
)
def test_a_refused_change_changes_nothing(runner: CommandRunner, line: str) -> None:
    runner.run("HSET", "h", "a", "text", "n", "1")
    runner.propagated()
    mutations = runner.keyspace.mutations
    dirty = runner.keyspace.dirty
    reply = runner.run(*line.split())
    assert isinstance(reply, bytes)
    assert reply.startswith(b"ERR ")
    assert content(runner) == {b"a": b"text", b"n": b"1"}
    assert (runner.keyspace.mutations, runner.keyspace.dirty) == (mutations, dirty)
    assert runner.propagated() == []


def test_a_refused_increment_makes_no_key(runner: CommandRunner) -> None:
    runner.run("HINCRBY", "h", "f", "x")
    runner.run("HINCRBYFLOAT", "h", "f", "nan")
    assert content(runner) is None


@pytest.mark.parametrize("name", sorted(HANDLERS))
def test_wrong_type(runner: CommandRunner, name: bytes) -> None:
    runner.run("SET", "s", "v")
    arguments = {b"hsetnx": "a 1", b"hset": "a 1", b"hmset": "a 1", b"hincrby": "a 1", b"hincrbyfloat": "a 1"}
    more = {b"hget": "a", b"hmget": "a", b"hdel": "a", b"hexists": "a", b"hstrlen": "a", b"hscan": "0"}
    line = (arguments | more).get(name, "")
    assert runner.run(name, "s", *line.split()) == errors.WRONGTYPE


def test_thresholds_of_the_small_form_are_settings(runner: CommandRunner) -> None:
    runner.settings.hash_max_listpack_entries = 2
    runner.run("HSET", "h", "a", "1", "b", "2")
    assert runner.run("OBJECT", "ENCODING", "h") == b"listpack"
    runner.run("HINCRBY", "h", "c", "1")
    assert runner.run("OBJECT", "ENCODING", "h") == b"hashtable"
    runner.settings.hash_max_listpack_value = 4
    runner.run("HSET", "g", "a", "1234")
    assert runner.run("OBJECT", "ENCODING", "g") == b"listpack"
    runner.run("HINCRBYFLOAT", "g", "b", "0.12345")
    assert runner.run("OBJECT", "ENCODING", "g") == b"hashtable"


def test_hgetall_is_a_map(runner: CommandRunner) -> None:
    runner.run("HSET", "h", "a", "1")
    for key, items in (("h", [b"a", b"1"]), ("nosuch", [])):
        reply = runner.run("HGETALL", key)
        assert isinstance(reply, MapReply)
        assert reply.items == items


def test_hrandfield_draws_from_all_and_without_repetition_if_positive(runner: CommandRunner) -> None:
    fields = [b"f%d" % number for number in range(300)]
    runner.run("HSET", "h", *[word for field in fields for word in (field, b"v" + field)])
    for count in (10, 290):
        drawn = runner.run("HRANDFIELD", "h", count)
        assert isinstance(drawn, list)
        assert len(drawn) == len(set(drawn)) == count
        assert set(drawn) <= set(fields)
    drawn = runner.run("HRANDFIELD", "h", -1000)
    assert isinstance(drawn, list)
    assert len(drawn) == 1000
    assert len(set(drawn)) > 250


def test_hrandfield_nests_pairs_in_resp3(runner: CommandRunner) -> None:
    runner.run("HSET", "h", "a", "1")
    assert runner.run("HRANDFIELD", "h", 1, "WITHVALUES") == [b"a", b"1"]
    runner.client.resp = 3
    assert runner.run("HRANDFIELD", "h", 1, "WITHVALUES") == [[b"a", b"1"]]


def test_a_cold_hash_is_asked_for_before_anything_changes(runner: CommandRunner) -> None:
    runner.run("HSET", "h", "a", "1")
    runner.make_cold(b"h")
    runner.keyspace.may_park = True
    with pytest.raises(ColdRead):
        runner.run("HSET", "h", "b", "2")
    runner.keyspace.may_park = False
    assert runner.run("HSET", "h", "b", "2") == 1
    assert content(runner) == {b"a": b"1", b"b": b"2"}
