import dataclasses

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heaptui.engine.worker_figures import clean, collected, figures, introduced, written
from heaptui.engine.worker_peer import Peer
from heaptui.model import Identity
from heaptui.wire import Collected, Heap, Hello, MainState, Written

PEER = Peer(Identity("boot", 77, 5), 76, (77, 3))
HELLO = Hello(v=1, task="t.1", pid=3, ppid=1, runtime="node", version="v24.1.0", can=("gc",))
KNOWN = introduced(HELLO, PEER, 100.0)


def test_its_pids_are_the_kernels() -> None:
    assert (KNOWN.pid, KNOWN.ppid, KNOWN.runtime, KNOWN.can) == (77, 76, "node", ("gc",))


def test_figures_are_in_bytes_and_seconds_and_dated_back_by_their_age() -> None:
    heap = Heap(at=5, age_ms=1500, used=1, gc_ms=250, loop_delay_ms=20, main=MainState.BUSY)
    found = figures(KNOWN, heap, 100.0)
    assert found is not None
    assert (found.at, found.used_bytes, found.gc_s, found.loop_delay_s) == (98.5, 1, 0.25, 0.02)
    assert (found.main, found.limit_bytes, found.pid) == ("busy", None, 77)


@pytest.mark.parametrize(
    "absurd",
    [{"used": -1}, {"rss": 1 << 61}, {"gc_ms": -0.5}, {"age_ms": 1e13}, {"requests": 1 << 70}],
)
def test_what_cannot_be_true_is_not_believed(absurd: dict[str, float]) -> None:
    assert figures(KNOWN, Heap(at=0, **absurd), 1.0) is None  # type: ignore[arg-type]


@given(st.text())
def test_words_become_one_short_line_that_no_terminal_obeys(text: str) -> None:
    line = clean(text, 20)
    assert len(line) <= 20
    assert not any(ord(letter) < 32 or 0x7F <= ord(letter) < 0xA0 for letter in line)


def test_only_known_commands_and_their_reasons_are_kept() -> None:
    hello = msgspec.structs.replace(
        HELLO, can=("gc", "rm -rf"), why={"snapshot": "\x1b[31mno\n", "x": "y"}
    )
    found = introduced(hello, PEER, 0.0)
    assert (found.can, found.why) == (("gc",), {"snapshot": "no"})


def test_of_a_collection_and_a_snapshot_only_what_can_be_true_is_passed_on() -> None:
    said = Collected(flavour="f\x07", pause_ms=1, used_before=2)
    assert collected(said) == msgspec.structs.replace(said, flavour="f")
    assert collected(msgspec.structs.replace(said, pause_ms=-1)) is None
    whole = Written(path="/etc/passwd", bytes=-5, took_ms=1, pause_ms=1, used=1)
    found = written(whole, "/right", 9)
    assert found is not None
    assert (found.path, found.bytes) == ("/right", 9)
    assert written(msgspec.structs.replace(whole, used=-1), "/right", 9) is None


def test_a_peer_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        PEER.ppid = 1  # type: ignore[misc]
