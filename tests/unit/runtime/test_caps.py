"""The default cap."""

from hypothesis import given
from hypothesis import strategies as st

from heaptui.runtime.caps import LEAST, STEP, share_of_host

GIB = 1 << 30


def test_a_share_is_rounded_down_to_64m() -> None:
    assert share_of_host(24 * GIB, 4) == int(4.75 * GIB)
    assert share_of_host(24 * GIB, 4, share=0.5) == 3 * GIB


@given(st.integers(1 << 27, 1 << 42), st.integers(1, 5000), st.floats(0.05, 1))
def test_all_tasks_at_their_caps_stay_within_the_share(
    total: int, slots: int, share: float
) -> None:
    cap = share_of_host(total, slots, share)
    assert cap % STEP == 0
    assert cap == LEAST or LEAST < cap <= total * share / slots
