"""What the link promises to those who use it."""

import pytest

from redrock.cold.link import SpillWaker, StoreLauncher, StoreLink, StoreLost
from redrock.errors import FatalError


def test_a_lost_store_ends_the_server() -> None:
    assert issubclass(StoreLost, FatalError)


def test_nobody_has_to_be_woken() -> None:
    SpillWaker().wake()


def test_a_link_must_be_implemented() -> None:
    with pytest.raises(NotImplementedError):
        StoreLauncher().launch()
    with pytest.raises(NotImplementedError):
        StoreLink().send(b"")
