"""Python processes that heaptui did not start."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from heaptui.errors import Refused
from heaptui.inspection import asking, foreign, python
from heaptui.inspection.foreign import Foreign

PROGRAM = """
import sys, threading
def waiting_here():
    threading.Event().wait()
print('up', flush=True)
waiting_here()
"""


@pytest.fixture
def process() -> Iterator[Foreign]:
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == b"up\n"
        yield asking.require(running.pid)
        running.kill()


async def test_its_stacks_are_read_from_outside(process: Foreign) -> None:
    stacks = await python.stacks(process)
    assert "waiting_here" in [frame.name for stack in stacks for frame in stack.frames]


async def test_without_py_spy_the_remedy_is_named(
    process: Foreign, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(python, "py_spy", lambda: None)
    with pytest.raises(Refused, match="not installed"):
        await python.stacks(process)


def test_heaptui_itself_is_not_listed(process: Foreign, tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "heaptui", "--state", str(tmp_path / "state"), "serve"],
        stderr=subprocess.DEVNULL,
    ) as serving:
        try:
            listed = [one.pid for one in foreign.foreigners()]
            assert process.pid in listed
            assert serving.pid not in listed
            assert asking.require(serving.pid).runtime == "python"
        finally:
            serving.terminate()


@pytest.mark.skipif(hasattr(sys, "remote_exec"), reason="this Python can be entered")
async def test_an_older_python_says_what_it_would_need(process: Foreign) -> None:
    with pytest.raises(Refused, match=r"3\.14 or newer"):
        await asking.heap(process)


@pytest.mark.skipif(not hasattr(sys, "remote_exec"), reason="needs sys.remote_exec")
async def test_it_is_asked_from_inside(process: Foreign) -> None:
    heap = await asking.heap(process)
    assert heap.blocks
    done = await asking.collect(process)
    assert done.rss_after


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads /proc")
@pytest.mark.parametrize("collecting", [False, True])
def test_what_it_is_asked_to_run_answers_and_leaves_no_name(
    tmp_path: Path, collecting: bool
) -> None:
    answer = tmp_path / "answer.json"
    source = python.script(answer, collecting=collecting)
    names: dict[str, object] = {}
    exec(source, names)
    assert set(names) == {"__builtins__"}
    told = json.loads(answer.read_bytes())
    assert told["rss"] > 0
    assert ("pause" in told) == collecting
    assert python.answered(answer).blocks == told["blocks"]


@pytest.mark.parametrize("said", ["", "{}", '{"version": 1}', "[" * 70_000])
def test_what_it_answers_is_not_believed(tmp_path: Path, said: str) -> None:
    answer = tmp_path / "answer.json"
    answer.write_text(said)
    with pytest.raises(Refused, match="does not understand"):
        python.answered(answer)


def test_no_link_in_the_place_of_the_answer_is_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    exec(python.script(elsewhere, collecting=False), {})
    assert python.answered(elsewhere).blocks
    (tmp_path / "answer.json").symlink_to(elsewhere)
    with pytest.raises(Refused, match="does not understand"):
        python.answered(tmp_path / "answer.json")


def test_no_snapshot_is_promised(process: Foreign, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "remote_exec", lambda pid, path: None, raising=False)
    one = asking.require(process.pid)
    assert (one.way("heap").why is None) == (one.way("gc").how is not None)
    assert one.way("snapshot").how is None
    assert one.way("snapshot").why


async def test_a_recycled_pid_is_not_asked(process: Foreign) -> None:
    import msgspec

    earlier = msgspec.structs.replace(process, start=process.start - 1)
    with pytest.raises(Refused, match="another one by now"):
        await asking.heap(earlier)
    with pytest.raises(Refused, match="another one by now"):
        await python.stacks(earlier)


def test_another_version_of_python_is_not_entered(
    process: Foreign, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "remote_exec", lambda pid, path: None, raising=False)
    import msgspec

    other = msgspec.structs.replace(process, version="3.99")
    why = foreign.remote_exec_why_not(other)
    assert why is not None
    assert "the same Python on both sides" in why
