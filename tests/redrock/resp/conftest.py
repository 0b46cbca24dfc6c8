"""One table of replies and their bytes, for the encoder and for the parser."""

import pytest

from redrock.resp.reply import (
    NULL_ARRAY,
    OK,
    Attributed,
    BigNumber,
    ErrorReply,
    MapReply,
    PushReply,
    Reply,
    SetReply,
    Status,
    Verbatim,
)

LONG = b"x" * 3000

# reply, its bytes in RESP2, its bytes in RESP3
TABLE: list[tuple[Reply, bytes, bytes]] = [
    (b"", b"$0\r\n\r\n", b"$0\r\n\r\n"),
    (b"a\r\nb", b"$4\r\na\r\nb\r\n", b"$4\r\na\r\nb\r\n"),
    (LONG, b"$3000\r\n" + LONG + b"\r\n", b"$3000\r\n" + LONG + b"\r\n"),
    (0, b":0\r\n", b":0\r\n"),
    (1023, b":1023\r\n", b":1023\r\n"),
    (1024, b":1024\r\n", b":1024\r\n"),
    (-1, b":-1\r\n", b":-1\r\n"),
    (2**63 - 1, b":9223372036854775807\r\n", b":9223372036854775807\r\n"),
    (-(2**63), b":-9223372036854775808\r\n", b":-9223372036854775808\r\n"),
    (None, b"$-1\r\n", b"_\r\n"),
    (NULL_ARRAY, b"*-1\r\n", b"_\r\n"),
    (True, b":1\r\n", b"#t\r\n"),
    (False, b":0\r\n", b"#f\r\n"),
    (2.5, b"$3\r\n2.5\r\n", b",2.5\r\n"),
    (0.1, b"$19\r\n0.10000000000000001\r\n", b",0.10000000000000001\r\n"),
    (float("inf"), b"$3\r\ninf\r\n", b",inf\r\n"),
    (float("-inf"), b"$4\r\n-inf\r\n", b",-inf\r\n"),
    (OK, b"+OK\r\n", b"+OK\r\n"),
    (Status(b""), b"+\r\n", b"+\r\n"),
    (ErrorReply(b"WRONGTYPE no"), b"-WRONGTYPE no\r\n", b"-WRONGTYPE no\r\n"),
    ([], b"*0\r\n", b"*0\r\n"),
    (
        [1, b"a", None, [OK, []]],
        b"*4\r\n:1\r\n$1\r\na\r\n$-1\r\n*2\r\n+OK\r\n*0\r\n",
        b"*4\r\n:1\r\n$1\r\na\r\n_\r\n*2\r\n+OK\r\n*0\r\n",
    ),
    ([7] * 1024, b"*1024\r\n" + b":7\r\n" * 1024, b"*1024\r\n" + b":7\r\n" * 1024),
    (
        MapReply([b"k", 1, b"l", [2]]),
        b"*4\r\n$1\r\nk\r\n:1\r\n$1\r\nl\r\n*1\r\n:2\r\n",
        b"%2\r\n$1\r\nk\r\n:1\r\n$1\r\nl\r\n*1\r\n:2\r\n",
    ),
    (SetReply([1, 2]), b"*2\r\n:1\r\n:2\r\n", b"~2\r\n:1\r\n:2\r\n"),
    (PushReply([b"m"]), b"*1\r\n$1\r\nm\r\n", b">1\r\n$1\r\nm\r\n"),
    (Verbatim(b"hi"), b"$2\r\nhi\r\n", b"=6\r\ntxt:hi\r\n"),
    (Verbatim(b"", b"mkd"), b"$0\r\n\r\n", b"=4\r\nmkd:\r\n"),
    (BigNumber(b"-12345678901234567890"), b"$21\r\n-12345678901234567890\r\n", b"(-12345678901234567890\r\n"),
    (Attributed([b"ttl", 5], b"v"), b"$1\r\nv\r\n", b"|1\r\n$3\r\nttl\r\n:5\r\n$1\r\nv\r\n"),
    ([Attributed([], [1])], b"*1\r\n*1\r\n:1\r\n", b"*1\r\n|0\r\n*1\r\n:1\r\n"),
]


@pytest.fixture(params=TABLE, ids=lambda row: repr(row[2][:24]))
def table_row(request: pytest.FixtureRequest) -> tuple[Reply, bytes, bytes]:
    row: tuple[Reply, bytes, bytes] = request.param
    return row
