import sys

import pytest

from redrock.datatypes.allocation import BYTES_HEADER, allocated, bytes_memory


@pytest.mark.parametrize(
    ("size", "taken"), [(1, 16), (16, 16), (17, 32), (512, 512), (513, 528), (520, 528), (521, 544)]
)
def test_steps_of_the_allocator(size: int, taken: int) -> None:
    assert allocated(size) == taken


def test_header_of_bytes() -> None:
    assert sys.getsizeof(b"") == BYTES_HEADER
    assert bytes_memory(0) == 48
    assert bytes_memory(15) == 48
    assert bytes_memory(16) == 64
