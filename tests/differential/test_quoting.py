"""Quoted arguments: read by redis-server from inline commands, printed by it in MONITOR."""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from redrock.resp.encoder import encode_command
from redrock.resp.reply_parser import NeedMore, ReplyParser
from redrock.util.quoting import quote, split_args

PIECES = st.sampled_from(
    [b"a", b"b c", b" ", b"'", b'"', b"\\", b"\\n", b"\\x41", b"\\xg", b"\\'", b'\\"', b"\t", b"\v", b"\xe9", b"\r"]
)


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, max_size=10).map(b"".join))
@example(b'"a\\x4" \'\\x41\' "\\a\\b\\n\\r\\t\\q"')
@example(b'"" \'\' a"b" "c"\vd e\vf')
@example(b'"ends in a backslash\\')
@example(b"'it\\'s'")
def test_split(oracle, line: bytes) -> None:
    answer = oracle.answer_to(b'EVAL "return ARGV" 0 ' + line + b"\r\n")
    parser = ReplyParser()
    parser.feed(answer)
    reply = parser.next_reply()
    arguments = split_args(line)
    if arguments is None:
        assert answer.startswith(b"-ERR Protocol error: unbalanced quotes")
    else:
        assert reply == arguments


def test_quote(oracle) -> None:
    every_byte = bytes(range(256))
    with oracle.connect() as monitor:
        monitor.sendall(encode_command([b"MONITOR"]))
        received = monitor.recv(100)
        assert received == b"+OK\r\n"
        oracle.exchange([[b"ECHO", every_byte]])
        parser = ReplyParser()
        while isinstance(reply := parser.next_reply(), NeedMore):
            parser.feed(monitor.recv(1 << 16))
    assert reply.text.endswith(b' "ECHO" ' + quote(every_byte))
    assert split_args(quote(every_byte)) == [every_byte]
