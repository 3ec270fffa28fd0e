"""Items that are done and in hand: the real engine, real workers, real files."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from heaptui.engine import run as runs
from heaptui.engine.base import Exited, LaunchSpec, Message, Started
from heaptui.splitting.left import read_done
from tests.integration.engine.contract import A, eventually
from tests.integration.engine.local_stage import LocalStage
from tests.integration.engine.test_work import EXAMPLES, NODES, SAYS, spec, stage, told

__all__ = ("stage",)

NAMES = [f"{n}.md" for n in range(6)]
SHELL = ("sh", str(EXAMPLES / "items.sh"))
PYTHON = (sys.executable, str(EXAMPLES / "items.py"))
WAITS = (
    sys.executable,
    "-c",
    "from heaptui import worker\n"
    "w = worker.connect(sigterm=True)\n"
    "for name in w.items():\n"
    f"    if name == {NAMES[2]!r} and not w.draining.wait(60):\n"
    "        raise SystemExit(9)\n",
)
"""It hears of a drain in the middle of the third item."""


def itemized(stage: LocalStage, *argv: str, attempt: int = 1, names: list[str] = NAMES):
    """In a directory with files of that many words; the third one is a pipe."""
    done, files = stage.state.done(A), stage.state.root / "files"
    made = spec(stage, *argv, attempt=attempt)
    if not files.is_dir():
        (files / "out").mkdir(parents=True)
        for n, name in enumerate(NAMES):
            (files / name).write_text("word " * n)
        (files / NAMES[2]).unlink()
        os.mkfifo(files / NAMES[2])
    slice_file = stage.state.slice(A)
    slice_file.write_text("".join(f"{name}\n" for name in names))
    variables = {"HEAPTUI_DONE": str(done), "HEAPTUI_SLICE": str(slice_file)}
    return replace(made, cwd=str(files), env=made.env | variables, done=str(done))


async def launched(stage: LocalStage, made: LaunchSpec, attempt: int = 1) -> Started:
    await stage.engine.submit(made, attempt)
    return await stage.listener.first(Started, A, attempt)


async def opened(pipe: Path) -> int:
    """The pipe's other end, as soon as the worker waits at it."""
    found: list[int] = []

    def opens() -> bool:
        try:
            found.append(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
        except OSError:
            return False
        return True

    await eventually(opens, "it is in the middle of an item")
    return found[0]


async def says(stage: LocalStage, *messages: str) -> None:
    argv = (sys.executable, "-I", "-S", str(SAYS), "says", *messages)
    await launched(stage, itemized(stage, *argv))
    await stage.hear(A, "said all")


def troubles(stage: LocalStage) -> list[str]:
    events = stage.listener.events
    return [one.text for one in events if isinstance(one, Message) and one.kind == "items"]


# --- from any shell, and by the library
async def test_a_shell_drains_in_mid_item_and_does_nothing_twice(stage):
    await launched(stage, itemized(stage, *SHELL, "out"))
    run = stage.engine._runs[A]
    pipe = await opened(stage.state.root / "files" / NAMES[2])
    await told(stage, lambda one: one.items_done == 2, "how many are done")
    await stage.engine.command(A, "drain", {"grace_s": 60, "kill_s": 1}, 10)
    await eventually(lambda: run.plan.leader_asked, "its leader was signalled")
    os.write(pipe, b"two words")
    os.close(pipe)
    exited = await stage.listener.first(Exited, A)
    assert (exited.code, exited.stopped, exited.work.items_done) == (0, True, 3)
    assert list(read_done(stage.state.done(A))) == NAMES[:3]
    await stage.engine.acknowledge(A, 1)
    await launched(stage, itemized(stage, *SHELL, "out", attempt=2, names=NAMES[3:]), 2)
    second = await stage.listener.first(Exited, A, 2)
    assert (second.code, second.work.items_done) == (0, 6)
    out = stage.state.root / "files" / "out"
    assert list(read_done(stage.state.done(A))) == NAMES
    assert sorted(int(one.read_text()) for one in out.iterdir()) == [0, 1, 2, 3, 4, 5]


async def test_the_library_drains_in_mid_item_and_does_nothing_twice(stage):
    started = await launched(stage, itemized(stage, *WAITS))
    run = stage.engine._runs[A]
    await told(stage, lambda one: one.items_done == 2 and one.hand == (NAMES[2],), "where it is")
    assert run.listening == {started.identity}
    await stage.engine.command(A, "drain", {"grace_s": 60, "kill_s": 1}, 10)
    exited = await stage.listener.first(Exited, A)
    assert (exited.code, exited.stopped) == (0, True)
    work = exited.work
    assert (work.items_done, work.hand, work.drained) == (3, (), True)
    assert not run.plan.leader_asked
    assert list(read_done(stage.state.done(A))) == NAMES[:3]
    await stage.engine.acknowledge(A, 1)
    await launched(stage, itemized(stage, *PYTHON, "out", attempt=2, names=NAMES[3:]), 2)
    second = await stage.listener.first(Exited, A, 2)
    assert (second.code, second.work.items_done, second.work.drained) == (0, 6, False)
    assert list(read_done(stage.state.done(A))) == NAMES


async def test_what_it_had_in_hand_when_it_was_killed_is_known(stage):
    started = await launched(stage, itemized(stage, *PYTHON, "out"))
    pipe = await opened(stage.state.root / "files" / NAMES[2])
    await told(stage, lambda one: one.hand == (NAMES[2],), "what is in hand")
    os.kill(started.identity.pid, signal.SIGKILL)
    exited = await stage.listener.first(Exited, A)
    os.close(pipe)
    assert exited.work is not None
    assert (exited.work.items_done, exited.work.hand) == (2, (NAMES[2],))


async def test_what_is_done_between_two_passes_counts_at_the_end(stage):
    source = 'for n in a b c; do echo "$n" >> "$HEAPTUI_DONE"; done; printf torn >> "$HEAPTUI_DONE"'
    await launched(stage, itemized(stage, "sh", "-c", source))
    exited = await stage.listener.first(Exited, A)
    assert exited.work is not None
    assert exited.work.items_done == 3
    # and the next attempt begins with a whole list
    await stage.engine.acknowledge(A, 1)
    await launched(stage, itemized(stage, "sh", "-c", 'echo d >> "$HEAPTUI_DONE"', attempt=2), 2)
    second = await stage.listener.first(Exited, A, 2)
    assert second.work is not None
    assert second.work.items_done == 4
    assert list(read_done(stage.state.done(A))) == ["a", "b", "c", "d"]


async def test_without_a_list_of_what_is_done_nothing_is_counted(stage):
    await stage.engine.submit(spec(stage, "true"), 1)
    assert (await stage.listener.first(Exited, A)).work is None


async def test_an_attempt_that_could_not_note_what_it_does_is_not_begun(stage):
    made = itemized(stage, "true")
    stage.state.done(A).symlink_to("/etc/hostname")
    await stage.engine.submit(made, 1)
    assert "cannot be launched" in (await stage.listener.first(Exited, A)).error


# --- after another engine
async def test_the_next_engine_counts_on_and_drains_a_shell_at_once(stage, monkeypatch):
    monkeypatch.setattr(runs, "RETURNS_WITHIN_S", 3600.0)
    await launched(stage, itemized(stage, *SHELL, "out"))
    pipe = await opened(stage.state.root / "files" / NAMES[2])
    await stage.leave()
    await stage.enter()
    await told(stage, lambda one: one.items_done == 2, "what was done before")
    # nobody ever heard of drains there: nobody is waited for
    await stage.engine.command(A, "drain", {"grace_s": 3600, "kill_s": 1}, 10)
    await eventually(lambda: stage.engine._runs[A].plan.leader_asked, "it is asked at once")
    os.close(pipe)
    exited = await stage.listener.first(Exited, A)
    assert (exited.code, exited.work.items_done) == (0, 3)


async def test_one_that_heard_of_drains_before_is_waited_for(stage, monkeypatch):
    monkeypatch.setattr(runs, "RETURNS_WITHIN_S", 3600.0)
    started = await launched(stage, itemized(stage, *WAITS))
    await eventually(lambda: stage.engine._runs[A].plan.listeners, "it is connected")
    await stage.leave()
    await stage.enter()
    run = stage.engine._runs[A]
    assert run.plan.listeners == (started.identity,)
    await stage.engine.command(A, "drain", {"grace_s": 3600, "kill_s": 1}, 10)
    exited = await stage.listener.first(Exited, A)
    assert (exited.code, exited.work.items_done, exited.work.drained) == (0, 3, True)
    assert not run.plan.leader_asked


# --- on the wire
async def test_items_that_are_told_are_noted_in_their_order_and_once(stage):
    await says(
        stage,
        '{"type":"progress","done":1,"items":["b","a"],"hand":["c","d\\u001b[2J"]}',
        '{"type":"checkpoint","data":1,"items":["a","c"]}',
        '{"type":"checkpoint","path":"/nowhere","items":["never"]}',
        '{"type":"result","data":1,"items":["e"]}',
        '{"type":"context","used":61200,"limit":200000}',
        '{"type":"context","used":-1}',
    )
    work = await told(stage, lambda one: one.context_tokens == 61200, "all of it")
    assert list(read_done(stage.state.done(A))) == ["b", "a", "c", "e"]
    assert (work.items_done, work.hand, work.context_limit) == (4, ("d",), 200_000)
    assert stage.state.done(A).stat().st_mode & 0o777 == 0o600


async def test_what_is_no_item_is_refused_and_the_rest_is_not(stage):
    long = "x" * 4097
    await says(
        stage,
        '{"type":"progress","items":["a\\nb","good"],"hand":["c\\nd"]}',
        f'{{"type":"progress","items":["{long}",""]}}',
        '{"type":"progress","done":7}',
    )
    await told(stage, lambda one: one.done == 7 and one.items_done == 1, "the good one")
    first, second = troubles(stage)
    assert "line break" in first
    assert "more than 4096 bytes" in second
    assert list(read_done(stage.state.done(A))) == ["good"]


async def test_a_list_that_cannot_be_written_is_said_and_the_work_goes_on(stage):
    made = itemized(
        stage,
        *(sys.executable, "-I", "-S", str(SAYS), "says-later", str(stage.state.root / "go")),
        '{"type":"progress","done":3,"items":["a"]}',
    )
    await launched(stage, made)
    await stage.hear(A, "connected")
    stage.state.done(A).unlink()
    stage.state.done(A).mkdir()
    (stage.state.root / "go").touch()
    work = await told(stage, lambda one: one.done == 3, "it is listened to")
    assert work.items_done == 0
    await eventually(lambda: troubles(stage), "it is told")
    assert "may be done again: Is a directory" in troubles(stage)[0]


async def test_hands_of_several_processes_are_one_list(stage):
    argv = (sys.executable, "-I", "-S", str(SAYS), "many-hands", "3")
    started = await launched(stage, itemized(stage, *argv))
    await told(stage, lambda one: set(one.hand) == {"item 0", "item 1", "item 2"}, "all hands")
    with stage.state.done(A).open("a") as file:
        file.write("item 1\n")
    await told(stage, lambda one: set(one.hand) == {"item 0", "item 2"}, "what is done is in none")
    os.kill(started.identity.pid, signal.SIGKILL)
    exited = await stage.listener.first(Exited, A)
    assert set(exited.work.hand) == {"item 0", "item 2"}


# --- Node.js
@pytest.mark.parametrize("node", NODES[:1])
async def test_the_node_example_goes_through_items(stage, node):
    source = (
        f"const w = require({str(EXAMPLES / 'worker.cjs')!r}).connect();\n"
        "(async () => {\n"
        "  w.context(5, 10);\n"
        "  for await (const name of w.items()) {\n"
        "    if (name === '1.md') while (!w.draining) await new Promise((r) => setTimeout(r, 5));\n"
        "  }\n"
        "  try { w.done('a\\nb'); } catch (error) { console.log(error.message); }\n"
        "  await w.close();\n"
        "})();\n"
    )
    await launched(stage, itemized(stage, node, "-e", source))
    work = await told(stage, lambda one: one.hand == ("1.md",), "what is in hand")
    assert (work.context_tokens, work.context_limit) == (5, 10)
    await stage.engine.command(A, "drain", {"grace_s": 60, "kill_s": 1}, 10)
    exited = await stage.listener.first(Exited, A)
    assert (exited.code, exited.work.items_done, exited.work.hand) == (0, 2, ())
    assert exited.work.drained
    assert list(read_done(stage.state.done(A))) == NAMES[:2]
    assert stage.said(A) == "an item is one line\n"
