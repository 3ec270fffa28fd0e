"""The arithmetic of V8's heap limit."""

from hypothesis import given
from hypothesis import strategies as st

from heaptui.runtime import v8
from heaptui.units import MIB


@given(st.integers(v8.LEAST_LIMIT, 1 << 40))
def test_the_flags_give_the_limit_that_was_asked_for(limit: int) -> None:
    flags = v8.flags_for(limit)
    assert flags.limit_bytes == limit // MIB * MIB
    assert flags.old_mb >= 16
    assert flags.semi_mb in {1, 4, 16, 32}


@given(st.integers(119 * MIB, 1 << 40))
def test_below_a_cap_v8s_own_error_comes_first(cap: int) -> None:
    flags = v8.flags_under(cap)
    assert flags.old_mb * MIB <= cap - 3 * flags.semi_mb * MIB - 100 * MIB


@given(st.integers(0, 119 * MIB))
def test_a_small_cap_gets_the_least_heap(cap: int) -> None:
    assert v8.flags_under(cap).limit_bytes == v8.LEAST_LIMIT


def test_flags_are_recognised_as_v8_spells_them() -> None:
    words = v8.words_of('  --max_old_space_size=300 "--max-semi-space-size=8" --title="a b" ')
    assert words == ["--max_old_space_size=300", "--max-semi-space-size=8", "--title=a b"]
    assert v8.named(words) == {v8.OLD: 300, v8.SEMI: 8}
    assert v8.named([f"--{v8.OLD}=300", f"--{v8.OLD}=500"]) == {v8.OLD: 500}
    assert v8.named(["--max-old-space-size", "300", "--inspect-port=0"]) == {}
