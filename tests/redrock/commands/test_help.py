"""The frame of HELP replies, beside redis-server's."""

from redrock.commands.help import help_reply
from redrock.resp.reply import Status


def test_frame_is_that_of_redis(redis_resp2) -> None:
    kind, theirs = redis_resp2.ask(b"Object", b"help")
    assert kind == b"*"
    ours = help_reply([b"Object", b"help"], (b"FREQ <key>", b"    text"))
    assert isinstance(ours, list)
    assert all(isinstance(line, Status) for line in ours)
    lines = [(b"+", line.text) for line in ours]
    assert lines[0] == theirs[0]
    assert lines[1:3] == [(b"+", b"FREQ <key>"), (b"+", b"    text")]
    assert lines[3:] == theirs[-2:]
