from collections import Counter

import pytest

from redrock.util.random import RandomSource


def draws(source: RandomSource) -> list[object]:
    items = list(range(20))
    source.shuffle(items)
    return [
        source.below(1000),
        source.bits(70),
        source.random(),
        source.hex_id(),
        items,
        source.sample(range(50), 5),
        source.choice("abcdef"),
    ]


def test_one_seed_gives_one_sequence() -> None:
    assert draws(RandomSource(5)) == draws(RandomSource(5))
    assert draws(RandomSource(5)) != draws(RandomSource(6))


def test_unseeded_sources_differ() -> None:
    assert RandomSource().hex_id() != RandomSource().hex_id()


@pytest.mark.parametrize("n", [1, 2, 3, 7, 8, 9, 100])
def test_below_is_uniform(n: int) -> None:
    source = RandomSource(1)
    counts = Counter(source.below(n) for _ in range(n * 400))
    assert set(counts) == set(range(n))
    # 400 expected each, standard deviation below 20: five of them.
    assert all(300 < count < 500 for count in counts.values())


def test_below_zero_is_a_bug() -> None:
    with pytest.raises(AssertionError):
        RandomSource(1).below(0)


def test_hex_id_has_its_leading_zeros() -> None:
    source = RandomSource(1)
    ids = [source.hex_id(3) for _ in range(200)]
    assert {len(name) for name in ids} == {3}
    assert any(name.startswith(b"0") for name in ids)
    assert all(not name.strip(b"0123456789abcdef") for name in ids)
    assert len(source.hex_id()) == 40


def test_sample_takes_different_positions() -> None:
    assert sorted(RandomSource(3).sample(range(10), 10)) == list(range(10))
