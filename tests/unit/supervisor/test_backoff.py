"""How long a failed task waits."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from heaptui.config import RetryConfig
from heaptui.supervisor.backoff import delay

CONFIG = RetryConfig(backoff="2s", backoff_max="60s")


def test_it_doubles_up_to_the_maximum():
    assert [delay(CONFIG, n) for n in range(1, 8)] == [2, 4, 8, 16, 32, 60, 60]


@given(st.integers(min_value=0, max_value=10**9))
def test_it_is_always_between_the_first_and_the_longest(failures):
    assert 2 <= delay(CONFIG, failures) <= 60
    assert delay(CONFIG, failures) <= delay(CONFIG, failures + 1)


def test_a_maximum_below_the_first_wait_is_the_wait():
    assert delay(RetryConfig(backoff="10s", backoff_max="5s"), 1) == 5
