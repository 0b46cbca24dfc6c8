import pytest

from redrock.clients.client import Client
from redrock.clients.waiter import Block, Waiter
from redrock.resp.reply import ReplyNode


def test_a_waiter_says_what_happens_at_its_end(two_clients: tuple[Client, Client]) -> None:
    """The base answers for no one: forgetting to say would leave a client without a reply."""
    waiter = Waiter()
    with pytest.raises(NotImplementedError):
        waiter.timed_out(two_clients[0])
    with pytest.raises(NotImplementedError):
        waiter.cancelled(two_clients[0])
    assert waiter.keys() == []


def test_block_is_a_reply() -> None:
    waiter = Waiter()
    block = Block(waiter, 12)
    assert isinstance(block, ReplyNode)
    assert (block.waiter, block.timeout_at_ms) == (waiter, 12)
