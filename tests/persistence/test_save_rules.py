"""When to save and to rewrite, as tables."""

import pytest

from persistence.save_rules import RewriteLimiter, due_save_rule, may_try_save, rewrite_growth, wants_rewrite

RULES = ((3600, 1), (300, 100), (60, 10000))


@pytest.mark.parametrize(
    ("dirty", "since_s", "expected"),
    [
        (0, 100000, None),
        (1, 3600, None),  # more than the seconds, not as many
        (1, 3601, (3600, 1)),
        (99, 301, None),
        (100, 301, (300, 100)),
        (100, 300, None),
        (10000, 61, (60, 10000)),
        (9999, 61, None),
        (10**9, 4000, (3600, 1)),  # the first that applies
    ],
)
def test_due_save_rule(dirty, since_s, expected):
    assert due_save_rule(RULES, dirty, since_s, True) == expected
    assert due_save_rule(RULES, dirty, since_s, False) is None


def test_no_rules():
    assert due_save_rule((), 10**9, 10**9, True) is None


def test_a_failed_save_is_not_tried_again_at_once():
    assert may_try_save(True, 0)
    assert [may_try_save(False, seconds) for seconds in (0, 5, 6)] == [False, False, True]


@pytest.mark.parametrize(
    ("current", "base", "percentage", "minimum", "expected"),
    [
        (200, 100, 100, 64, True),
        (199, 100, 100, 64, False),
        (200, 100, 0, 64, False),
        (64, 1, 100, 64, False),  # larger than the minimum, not as large
        (65, 1, 100, 64, True),
        (1000, 0, 100, 64, True),  # no base yet
    ],
)
def test_wants_rewrite(current, base, percentage, minimum, expected):
    assert wants_rewrite(current, base, percentage, minimum) is expected


def test_growth_is_in_whole_percent():
    assert rewrite_growth(299, 100) == 199
    assert rewrite_growth(50, 100) == -50
    assert rewrite_growth(10, 0) == 900


def test_limiter_doubles_up_to_an_hour():
    limiter = RewriteLimiter()
    now = 1000
    assert not limiter.is_limited(2, now)
    for minutes in (1, 2, 4, 8, 16, 32, 60, 60):
        assert limiter.is_limited(3, now)
        assert limiter.announced_minutes == minutes
        assert limiter.is_limited(3, now + minutes * 60 - 1)
        assert limiter.announced_minutes == 0
        now += minutes * 60
        assert not limiter.is_limited(3, now)


def test_limiter_forgets_after_a_success():
    limiter = RewriteLimiter()
    assert limiter.is_limited(5, 1000)
    assert not limiter.is_limited(0, 1001)
    assert limiter.is_limited(3, 1002)
    assert limiter.announced_minutes == 1
