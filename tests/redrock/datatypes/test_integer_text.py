import pytest
from hypothesis import given
from hypothesis import strategies as st

from redrock.datatypes.integer_text import INTEGER_TEXT_MAX, is_integer_text

YES = [b"0", b"1", b"-1", b"10", b"999999999999999999", b"9223372036854775807", b"-9223372036854775808"]
NO = [
    b"", b"-", b"-0", b"+1", b"00", b"01", b"-01", b" 1", b"1 ", b"1\x00", b"1.0", b"1e3", b"0x1", b"\xb2",
    b"9223372036854775808", b"-9223372036854775809", b"99999999999999999999", b"100000000000000000000",
]  # fmt: skip


@pytest.mark.parametrize("text", YES)
def test_what_redis_stores_as_an_integer(text: bytes) -> None:
    assert is_integer_text(text)


@pytest.mark.parametrize("text", NO)
def test_what_it_stores_as_a_string(text: bytes) -> None:
    assert not is_integer_text(text)


@given(st.integers(-(2**64), 2**64))
def test_printed_integers(number: int) -> None:
    assert is_integer_text(b"%d" % number) == (-(2**63) <= number < 2**63)


@given(st.text(alphabet="-+0123456789 ", max_size=22))
def test_true_means_that_printing_gives_the_text_again(text: str) -> None:
    data = text.encode()
    try:
        canonical = b"%d" % int(data) == data and -(2**63) <= int(data) < 2**63
    except ValueError:
        canonical = False
    assert is_integer_text(data) == canonical
    assert not canonical or len(data) <= INTEGER_TEXT_MAX
