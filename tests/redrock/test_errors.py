"""The kinds of error carry what whoever answers or loads needs to know."""

from redrock import errors


def test_reply_and_protocol_errors_carry_their_text() -> None:
    assert errors.ReplyError(errors.SYNTAX).text == b"ERR syntax error"
    assert errors.ProtocolError(b"ERR Protocol error").text == b"ERR Protocol error"


def test_a_corruption_names_source_position_and_loss() -> None:
    error = errors.CorruptionError("bad length", "dump.rdb", 17, 100)
    assert (error.reason, error.source, error.position, error.lost_bytes) == ("bad length", "dump.rdb", 17, 100)
    assert str(error) == "dump.rdb, byte 17: bad length"


def test_arity_names_the_subcommand() -> None:
    assert errors.wrong_arity(b"config|get") == b"ERR wrong number of arguments for 'config|get' command"


def test_texts_are_one_line_without_the_protocols_marks() -> None:
    texts = [value for name, value in vars(errors).items() if name.isupper() and isinstance(value, bytes)]
    assert len(texts) > 50
    for text in texts:
        assert b"\r" not in text
        assert b"\n" not in text
        assert not text.startswith(b"-")
