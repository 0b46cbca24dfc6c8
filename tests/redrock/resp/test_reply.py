from redrock.resp.reply import OK, PONG, QUEUED, Status


def test_a_status_carries_its_bytes() -> None:
    assert Status(b"Background saving started").wire == b"+Background saving started\r\n"
    assert (OK.wire, QUEUED.wire, PONG.wire) == (b"+OK\r\n", b"+QUEUED\r\n", b"+PONG\r\n")
