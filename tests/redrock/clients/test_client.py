from redrock.clients import client as module
from redrock.clients.client import IN_MULTI, NEEDS_AUTH, READY, REPLY_MASK, REPLY_OFF, REPLY_SKIP, Client

GATE_BITS = [
    name
    for name in dir(module)
    if name in ("NEEDS_AUTH", "IN_MULTI", "DIRTY_CAS", "DIRTY_EXEC", "TRACKING", "RESTRICTED", "NO_EVICT")
    or name.startswith(("IS_", "IN_", "REPLY_"))
]


def test_a_new_client_is_ordinary(two_clients: tuple[Client, Client]) -> None:
    """Gate 0: the dispatcher has nothing to check of it."""
    one, other = two_clients
    assert one.gate == 0
    assert one.state == READY
    assert one.resp == 2
    assert one.user_name == b"default"
    assert one.client_id != other.client_id


def test_bits_of_the_gate(two_clients: tuple[Client, Client]) -> None:
    client = two_clients[0]
    client.set(NEEDS_AUTH)
    client.set(IN_MULTI)
    assert client.has(NEEDS_AUTH)
    client.unset(NEEDS_AUTH)
    assert not client.has(NEEDS_AUTH)
    assert client.gate == IN_MULTI


def test_every_bit_of_the_gate_is_its_own() -> None:
    bits = [getattr(module, name) for name in GATE_BITS if name != "REPLY_MASK"]
    assert len(bits) == 15
    assert all(bit.bit_count() == 1 for bit in bits)
    assert len(set(bits)) == len(bits)
    assert REPLY_MASK == REPLY_OFF | REPLY_SKIP


def test_what_a_client_holds_is_accounted(two_clients: tuple[Client, Client]) -> None:
    client = two_clients[0]
    before = client.memory_bytes()
    client.output.writer.write(b"x" * 1000)
    client.parser.feed(b"*1\r\n$5000\r\n" + b"y" * 2000)
    client.parser.next_request()
    client.queued_bytes = 300
    assert client.memory_bytes() == before + 1000 + 2000 + 300
