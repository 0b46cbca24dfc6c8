import pytest
from librt.strings import BytesWriter

from redrock.resp.encoder import encode_command, encode_reply, write_command, write_error, write_reply
from redrock.resp.reply import NO_REPLY, Encoded, ErrorReply, MapReply, Reply


def test_table(table_row: tuple[Reply, bytes, bytes]) -> None:
    reply, resp2, resp3 = table_row
    assert encode_reply(reply, 2) == resp2
    assert encode_reply(reply, 3) == resp3
    # The same inside a collection, where the code is another.
    assert encode_reply([reply, 5], 2) == b"*2\r\n" + resp2 + b":5\r\n"
    assert encode_reply((reply, 5), 3) == b"*2\r\n" + resp3 + b":5\r\n"


def test_replies_are_appended() -> None:
    out = BytesWriter()
    write_reply(out, b"a", 2)
    write_reply(out, NO_REPLY, 2)
    write_reply(out, Encoded(b"+as it is\r\n"), 3)
    write_reply(out, [Encoded(b":1\r\n")], 2)
    assert out.getvalue() == b"$1\r\na\r\n+as it is\r\n*1\r\n:1\r\n"


def test_no_depth_is_too_deep() -> None:
    reply: Reply = b"x"
    for _ in range(100_000):
        reply = [reply]
    assert encode_reply(reply, 3) == b"*1\r\n" * 100_000 + b"$1\r\nx\r\n"


def test_siblings_behind_a_nested_collection_follow_it() -> None:
    reply = [[1, [2], 3], MapReply([4, [5]]), 6]
    assert encode_reply(reply, 3) == b"*3\r\n*3\r\n:1\r\n*1\r\n:2\r\n:3\r\n%1\r\n:4\r\n*1\r\n:5\r\n:6\r\n"


@pytest.mark.parametrize(
    ("text", "wire"),
    [
        (b"ERR a b", b"-ERR a b\r\n"),
        (b"ERR a\r\nb\nc", b"-ERR a  b c\r\n"),
        (b"ERR a\r\n", b"-ERR a\r\n"),
        (b"", b"-\r\n"),
    ],
)
def test_an_error_is_one_line(text: bytes, wire: bytes) -> None:
    out = BytesWriter()
    write_error(out, text)
    assert out.getvalue() == wire
    assert encode_reply(ErrorReply(text), 3) == wire


def test_what_is_no_reply_is_a_bug() -> None:
    with pytest.raises(TypeError, match="object"):
        encode_reply(object(), 2)  # type: ignore[arg-type]


def test_commands() -> None:
    long = b"v" * 1024
    assert encode_command([b"SET", b"", long]) == b"*3\r\n$3\r\nSET\r\n$0\r\n\r\n$1024\r\n" + long + b"\r\n"
    out = BytesWriter()
    write_command(out, [b"PING"])
    write_command(out, [b"a"] * 2000)
    assert out.getvalue() == b"*1\r\n$4\r\nPING\r\n*2000\r\n" + b"$1\r\na\r\n" * 2000
