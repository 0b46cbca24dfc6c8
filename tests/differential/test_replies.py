"""Replies of every type from redis-server: parsed and encoded again, they are the same bytes."""

import pytest

from redrock.resp.encoder import encode_command, encode_reply
from redrock.resp.reply import PushReply
from redrock.resp.reply_parser import NeedMore, ReplyParser

# DEBUG PROTOCOL <kind> answers with one reply of that kind.
KINDS = [
    b"string",
    b"integer",
    b"double",
    b"null",
    b"array",
    b"set",
    b"map",
    b"attrib",
    b"push",
    b"verbatim",
    b"bignum",
    b"true",
    b"false",
]
COMMANDS = [
    *([b"DEBUG", b"PROTOCOL", kind] for kind in KINDS),
    [b"EVAL", b"return redis.call('PING')", b"0"],
    [b"EVAL", b"return {1, {'a', {}}, false, {err='ERR x'}, {ok='fine'}}", b"0"],
    [b"EVAL", b"redis.setresp(3); return {true, false, {double=0.1}, {map={a=1}}, {set={a=true}}}", b"0"],
    [b"NOSUCH", b"a\r\nb", b"c"],
    [b"BLPOP", b"nokey", b"0.01"],
    [b"GET", b"nokey"],
    [b"COMMAND", b"INFO", b"get", b"nosuch"],
    [b"CONFIG", b"GET", b"*"],
    [b"DEBUG", b"SLEEP", b"0"],
]


@pytest.mark.parametrize("resp", [2, 3])
@pytest.mark.parametrize("argv", COMMANDS, ids=lambda argv: b" ".join(argv[:3]).decode()[:40])
def test_parse_then_encode(oracle, argv: list[bytes], resp: int) -> None:
    with oracle.connect() as connection:
        parser = ReplyParser()
        connection.sendall(encode_command([b"HELLO", b"%d" % resp]))
        while isinstance(parser.next_reply(), NeedMore):
            parser.feed(connection.recv(1 << 16))
        connection.sendall(encode_command(argv))
        answer = again = b""
        while True:
            reply = parser.next_reply()
            if isinstance(reply, NeedMore):
                data = connection.recv(1 << 16)
                assert data
                answer += data
                parser.feed(data)
                continue
            again += encode_reply(reply, resp)
            # A push message is no answer: that follows.
            if not isinstance(reply, PushReply):
                break
    assert again == answer
