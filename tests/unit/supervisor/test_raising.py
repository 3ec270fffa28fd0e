"""The arithmetic of a larger cap."""

import pytest

from heaptui.errors import Refused
from heaptui.supervisor.raising import Room, check_room
from heaptui.units import GIB


def room(available: float | None, promised: float = 0) -> Room:
    return Room(
        total_bytes=24 * GIB,
        available_bytes=None if available is None else int(available * GIB),
        promised_bytes=int(promised * GIB),
    )


@pytest.mark.parametrize("has", [room(12), room(20, promised=30), room(None)])
def test_what_the_machine_has_may_be_asked(has: Room) -> None:
    check_room("leaky", 12 * GIB, has)


def test_what_it_has_not_is_refused_with_the_figures() -> None:
    with pytest.raises(Refused) as caught:
        check_room("leaky", 12 * GIB, room(9.1, promised=18))
    assert caught.value.what == (
        "12.0G asked for leaky; this machine has 24.0G, 9.10G available to it, caps of the other "
        "running tasks promise 18.0G."
    )
    assert caught.value.remedy
    with pytest.raises(Refused, match=r"100G asked for leaky; this machine has 24\.0G\."):
        check_room("leaky", 100 * GIB, room(None))
