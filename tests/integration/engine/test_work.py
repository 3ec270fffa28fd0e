"""The half of the worker protocol that saves work: the real engine, real processes, real files."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from heaptui.engine.base import Exited, LaunchSpec, Message, Sampled, Started, work_of
from heaptui.errors import Refused, UsageError
from heaptui.model import Work
from heaptui.runtime import node
from heaptui.runtime.preload import place
from tests.integration.engine.contract import A, B, Part, begun, eventually
from tests.integration.engine.local_stage import LocalStage

SAYS = Path(__file__).with_name("saying_worker.py")
EXAMPLES = Path(__file__).parents[3] / "examples"
NODES = sorted(
    {str(one) for one in (node.locate(dict(os.environ), Path("/")), node.wheel()) if one}
)


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[LocalStage]:
    made = LocalStage(tmp_path / "s")
    await made.enter()
    yield made
    await made.end_everything()


def spec(stage: LocalStage, *argv: str, task_id: str = A, attempt: int = 1) -> LaunchSpec:
    checkpoint, result = stage.state.checkpoint(task_id), stage.state.result(task_id)
    env = {
        "HEAPTUI_SOCKET": str(stage.state.socket("worker")),
        "HEAPTUI_CHECKPOINT": str(checkpoint),
        "HEAPTUI_RESULT": str(result),
    }
    made = stage.command(task_id, *argv, attempt=attempt, env=env)
    return replace(made, checkpoint=str(checkpoint), result=str(result))


async def worker(stage: LocalStage, how: str, *rest: str, attempt: int = 1) -> Started:
    argv = (sys.executable, "-I", "-S", str(SAYS), how, *rest)
    await stage.engine.submit(spec(stage, *argv, attempt=attempt), attempt)
    return await stage.listener.first(Started, A, attempt)


async def says(stage: LocalStage, *messages: dict[str, object]) -> None:
    await worker(stage, "says", *(json.dumps(one) for one in messages))
    await stage.hear(A, "said all")


def kept(stage: LocalStage) -> object:
    return json.loads(stage.state.checkpoint(A).read_bytes())


def history(stage: LocalStage, kind: str) -> list[str]:
    events = stage.listener.events
    return [one.text for one in events if isinstance(one, Message) and one.kind == kind]


async def told(stage: LocalStage, holds, what: str) -> Work:
    found = await stage.listener.find(
        lambda event: isinstance(event, Sampled) and A in event.work and holds(event.work[A]), what
    )
    assert isinstance(found, Sampled)
    return found.work[A]


def parts(stage: LocalStage) -> list[Path]:
    return list(stage.state.task(A).glob("*.part"))


# --- what is told
async def test_progress_comes_with_a_pass_made_harmless(stage):
    await says(
        stage,
        {"type": "progress", "done": 3, "total": 1e300, "text": "a \x1b[31mred\x1b[0m\nunit"},
        {"type": "progress", "done": 5, "total": 10, "text": "\x1b]0;x\x07unit 5"},
    )
    work = await told(stage, lambda one: one.done == 5, "progress")
    assert (work.total, work.text, work.can) == (10, "unit 5", ("checkpoint", "drain"))
    assert (work.checkpoints, work.checkpoint_at, work.result_bytes) == (0, None, None)


async def test_figures_that_cannot_be_true_are_left_out_and_the_worker_is_not(stage):
    await says(stage, {"type": "progress", "done": -1, "total": 7})
    work = await told(stage, lambda one: one.total == 7, "progress")
    assert work.done is None


async def test_lines_for_the_history_are_bounded(stage):
    lines = [{"type": "log", "text": f"line {n} \x1b[2J" + "y" * 1000} for n in range(60)]
    await says(stage, *lines)
    await eventually(lambda: len(history(stage, "log")) >= 30, "lines of the history")
    texts = history(stage, "log")
    assert texts[0].startswith("line 0 y")
    assert len(texts) < 40
    assert max(map(len, texts)) <= 400
    assert "\x1b" not in "".join(texts)


# --- what is kept
async def test_a_checkpoint_and_a_result_are_on_disk_when_it_is_said(stage):
    await says(
        stage,
        {"type": "checkpoint", "data": {"next": 7}, "note": "half of it"},
        {"type": "result", "data": [1, 2]},
    )
    assert kept(stage) == {"next": 7}
    assert stage.state.result(A).read_bytes().replace(b" ", b"") == b"[1,2]"
    assert "kept checkpoint 11 well\nkept result 6 well" in stage.said(A)
    for path in (stage.state.checkpoint(A), stage.state.result(A)):
        assert path.stat().st_mode & 0o777 == 0o600
    work = await told(stage, lambda one: one.result_bytes is not None, "the result")
    assert (work.checkpoints, work.checkpoint_bytes, work.result_bytes) == (1, 11, 6)
    assert work.checkpoint_at == stage.state.checkpoint(A).stat().st_mtime
    (note,) = history(stage, "log")
    assert note.endswith(": half of it")
    assert parts(stage) == []


async def test_a_file_is_copied_and_stays_its_owners(stage, tmp_path):
    source = tmp_path / "state.bin"
    source.write_bytes(os.urandom(3 << 20))
    source.chmod(0o644)
    await says(stage, {"type": "checkpoint", "path": str(source)})
    assert stage.state.checkpoint(A).read_bytes() == source.read_bytes()
    assert stage.state.checkpoint(A).stat().st_mode & 0o777 == 0o600
    assert source.stat().st_mode & 0o777 == 0o644
    assert stage.state.checkpoint(A).stat().st_ino != source.stat().st_ino


WRONG = [
    ({"path": "{tmp}/nowhere"}, "No such file"),
    ({"path": "{tmp}"}, "Is a directory"),
    ({"path": "{tmp}/pipe"}, "is no file"),
    ({"path": "{tmp}/link"}, "symbolic link"),
    ({"path": "relative"}, "no absolute path"),
    ({"path": "/x\0y"}, "no absolute path"),
    ({"path": "/dev/zero"}, "is no file"),
    ({"data": 1, "path": "/x"}, "of which one is meant"),
    ({"path": "{tmp}/enormous"}, "would leave the disk"),
    ({"path": "{tmp}/theirs"}, "belongs to another user"),
]


async def test_what_cannot_be_kept_says_why_and_the_one_before_stands(stage, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/etc/passwd")
    with (tmp_path / "enormous").open("wb") as file:
        free = os.statvfs(tmp_path)
        file.truncate(min(free.f_bavail * free.f_frsize, 1 << 43))
    wrong = WRONG if os.geteuid() == 0 else WRONG[:-1]
    (tmp_path / "theirs").write_text("x")
    if os.geteuid() == 0:
        os.chown(tmp_path / "theirs", 65534, 65534)
    messages = [{key: str(one).format(tmp=tmp_path) for key, one in m.items()} for m, _ in wrong]
    await says(
        stage,
        {"type": "checkpoint", "data": {"n": 1}},
        *({"type": "checkpoint", **one} for one in messages),
        {"type": "result", "data": 1},
    )
    assert kept(stage) == {"n": 1}
    answers = stage.said(A).splitlines()[1:-2]
    for (_, why), answer in zip(wrong, answers, strict=True):
        assert answer.startswith("kept checkpoint 0 ")
        assert why in answer
    # its history tells of the first ones
    assert len(history(stage, "checkpoint")) == 5
    assert "No such file" in history(stage, "checkpoint")[0]
    work = await told(stage, lambda one: one.result_bytes == 1, "it is listened to as before")
    assert work.checkpoints == 1
    assert parts(stage) == []


async def test_a_full_disk_leaves_the_one_before(stage, monkeypatch):
    await says(stage, {"type": "checkpoint", "data": 1})
    # the directory is in the way of the temporary file: as good as a disk without room
    (stage.state.task(A) / "checkpoint.engine.part").mkdir()
    await stage.engine.cancel(A, 0)
    await stage.listener.end(A)
    await stage.engine.acknowledge(A, 1)
    await worker(stage, "large", "10", attempt=2)
    await eventually(lambda: "kept checkpoint 0 Is a directory" in stage.said(A, 2), "the reason")
    assert kept(stage) == 1
    (stage.state.task(A) / "checkpoint.engine.part").rmdir()


async def test_a_megabyte_of_json_goes_and_more_does_not(stage):
    await worker(stage, "large", str((1 << 20) - 2))
    await stage.hear(A, f"kept checkpoint {1 << 20} well")
    assert stage.state.checkpoint(A).stat().st_size == 1 << 20
    await stage.engine.cancel(A, 0)
    await stage.listener.end(A)
    await stage.engine.acknowledge(A, 1)
    await worker(stage, "large", str(1 << 20), attempt=2)
    await eventually(lambda: "go by a file's path" in stage.said(A, 2), "the reason")
    assert stage.state.checkpoint(A).stat().st_size == 1 << 20


async def test_a_line_beyond_all_measure_is_refused_like_nonsense(stage):
    await worker(stage, "large", str(1200 << 10))
    await stage.listener.find(
        lambda event: isinstance(event, Message) and event.kind == "nonsense", "it is told"
    )


async def test_a_later_checkpoint_is_never_overtaken_and_each_is_answered(stage):
    await worker(stage, "many", "200")
    await stage.hear(A, "all kept")
    assert kept(stage)["n"] == 199
    work = await told(stage, lambda one: one.checkpoints == 200, "all of them")
    assert work.checkpoint_bytes == stage.state.checkpoint(A).stat().st_size


async def test_nor_is_it_by_that_of_another_process_of_its_task(stage, tmp_path):
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate(96 << 20)
    await worker(stage, "two-hands", str(large), str(tmp_path / "go"))
    run = stage.engine._runs[A]
    await eventually(lambda: len(stage.engine._workers.work.of(run)) == 2, "both are connected")
    (tmp_path / "go").touch()
    await eventually(lambda: stage.said(A).count("kept checkpoint") == 2, "both are kept")
    assert kept(stage) == {"by": "the second"}


async def test_long_lines_that_stop_hold_up_nobody_for_long(stage, monkeypatch):
    monkeypatch.setattr("heaptui.engine.long_lines.ENDS_WITHIN_S", 0.2)
    await worker(stage, "stops-in-mid-line", "12")
    await eventually(lambda: stage.said(A).count("in the middle") == 12, "they began")
    argv = (sys.executable, "-I", "-S", str(SAYS), "large", "900000")
    await stage.engine.submit(spec(stage, *argv, task_id=B), 1)
    await stage.hear(B, "kept checkpoint 900002 well")


# --- last words
@pytest.mark.parametrize("time", range(2))
async def test_what_is_said_last_is_heard_though_its_process_has_ended(stage, time):
    """However the passes that look who lives fall."""
    await worker(stage, "ends-when-seen")
    await eventually(lambda: stage.engine._runs[A].listening, "it is connected")
    await stage.engine.command(A, "drain", {"grace_s": 30, "kill_s": 1}, 10)
    exited = await stage.listener.first(Exited, A)
    assert exited.code == 0
    assert exited.work is not None
    assert (exited.work.checkpoints, exited.work.result_bytes, exited.work.drained) == (1, 8, True)
    assert kept(stage) == {"n": 2}


async def test_what_a_worker_put_there_by_itself_counts_without_a_word(stage):
    await worker(stage, "writes-itself")
    exited = await stage.listener.first(Exited, A)
    assert exited.work is not None
    assert (exited.work.checkpoint_bytes, exited.work.result_bytes) == (7, 7)
    assert stage.state.checkpoint(A).stat().st_mode & 0o777 == 0o600


async def test_what_an_earlier_attempt_left_is_not_this_ones(stage):
    await worker(stage, "writes-itself")
    await stage.listener.end(A)
    await stage.engine.acknowledge(A, 1)
    await stage.engine.submit(spec(stage, "true", attempt=2), 2)
    assert (await stage.listener.first(Exited, A, 2)).work is None
    assert stage.state.checkpoint(A).read_text() == "by hand"


async def test_the_next_engine_knows_what_stands(stage):
    await worker(stage, "writes-itself", "and stays")
    await stage.hear(A, "wrote")
    await stage.leave()
    await stage.enter()
    work = await told(stage, lambda one: one.checkpoint_at is not None, "the checkpoint")
    assert work.checkpoint_at == stage.state.checkpoint(A).stat().st_mtime
    assert work.result_bytes == 7


# --- asking for a checkpoint
async def test_a_checkpoint_that_is_asked_for_stands_when_it_is_answered(stage):
    await worker(stage, "answers")
    await stage.hear(A, "connected")
    await eventually(lambda: stage.engine._runs[A].work, "it is known")
    for n in (1, 2):
        work = work_of(await stage.engine.command(A, "checkpoint", {}, 10))
        assert work.checkpoints == n
        assert kept(stage) == {"asked": n}


async def test_why_there_is_no_checkpoint_is_said(stage):
    await begun(stage, A, Part.RUNS)
    with pytest.raises(Refused, match="takes checkpoints"):
        await stage.engine.command(A, "checkpoint", {}, 10)


@pytest.mark.parametrize(
    ("how", "error", "words"),
    [(("answers", "not"), Refused, "in mid-air"), (("never-answers",), TimeoutError, None)],
)
async def test_a_worker_that_makes_none_is_not_waited_for_without_end(stage, how, error, words):
    await worker(stage, *how)
    await eventually(lambda: stage.engine._runs[A].work, "it is known")
    with pytest.raises(error, match=words):
        await stage.engine.command(A, "checkpoint", {}, 0.3)
    assert [link.asked for link in stage.engine._workers.work.of(stage.engine._runs[A])] == [{}]


async def test_one_that_ends_instead_answers_so(stage):
    started = await worker(stage, "never-answers")
    await eventually(lambda: stage.engine._runs[A].work, "it is known")
    os.kill(started.identity.pid, signal.SIGSTOP)
    asking = asyncio.create_task(stage.engine.command(A, "checkpoint", {}, 30))
    hub, run = stage.engine._workers.work, stage.engine._runs[A]
    await eventually(lambda: any(link.asked for link in hub.of(run)), "it is asked")
    os.kill(started.identity.pid, signal.SIGKILL)
    with pytest.raises(Refused, match="closed its connection"):
        await asking


# --- drains
async def test_who_hears_of_a_drain_is_not_signalled_and_has_its_time(stage, tmp_path):
    await worker(stage, "drains", str(tmp_path / "go"))
    await eventually(lambda: stage.engine._runs[A].listening, "it is connected")
    await stage.engine.command(A, "drain", {"grace_s": 60, "kill_s": 1}, 10)
    await stage.hear(A, "drain")
    await stage.engine.command(A, "drain", {"grace_s": 60, "kill_s": 1}, 10)
    (tmp_path / "go").touch()
    exited = await stage.listener.first(Exited, A)
    assert (exited.code, exited.stopped) == (0, True)
    assert exited.work is not None
    assert exited.work.drained
    assert "TERM" not in stage.said(A)


async def test_a_child_survives_the_drain_until_its_leader_has_finished(stage, tmp_path):
    await worker(stage, "leads", str(tmp_path / "go"))
    await stage.hear(A, "ready")
    await stage.hear(A, "child begins")
    await stage.engine.command(A, "drain", {"grace_s": 60, "kill_s": 1}, 10)
    await stage.hear(A, "TERM")
    (tmp_path / "go").touch()
    exited = await stage.listener.first(Exited, A)
    assert (exited.code, exited.stopped) == (4, True)
    assert stage.said(A).count("TERM") == 1
    assert stage.said(A).index("child is done") < stage.said(A).index("leader is done")


async def test_after_another_supervisor_a_drain_goes_on_and_signals_nobody_twice(stage, tmp_path):
    await worker(stage, "leads", str(tmp_path / "go"))
    await stage.hear(A, "ready")
    await stage.engine.command(A, "drain", {"grace_s": 60, "kill_s": 1}, 10)
    await stage.hear(A, "TERM")
    await stage.leave()
    await stage.enter()
    await stage.listener.first(Started, A)
    # nothing is waited for by the one that was signalled already
    stage.engine._runs[A].adopted_at = -60.0
    await stage.engine.command(A, "drain", {"grace_s": 0.3, "kill_s": 30}, 10)
    await eventually(lambda: stage.engine._runs[A].asked, "its time is over")
    (tmp_path / "go").touch()
    exited = await stage.listener.first(Exited, A)
    assert exited.stopped
    assert stage.said(A).count("TERM") == 1


async def test_under_a_leader_that_only_ends_the_worker_has_its_time(stage, tmp_path):
    script = shlex.join(
        [sys.executable, "-I", "-S", str(SAYS), "under-a-shell", str(tmp_path / "go")]
    )
    await stage.engine.submit(spec(stage, "sh", "-c", f"{script}; echo never"), 1)
    await stage.hear(A, "connected")
    await eventually(lambda: stage.engine._runs[A].listening, "it is known")
    await stage.engine.command(A, "drain", {"grace_s": 60, "kill_s": 1}, 10)
    run = stage.engine._runs[A]
    await eventually(run.leader_gone.is_set, "the shell has ended")
    (tmp_path / "go").touch()
    exited = await stage.listener.first(Exited, A)
    assert (exited.signal, exited.stopped) == (signal.SIGTERM, True)
    assert stage.said(A) == "connected\ndone\n"


async def test_who_does_not_drain_is_stopped_after_the_grace_and_killed_then(stage):
    await worker(stage, "deaf-to-drains")
    await eventually(lambda: stage.engine._runs[A].listening, "it is connected")
    await stage.engine.command(A, "drain", {"grace_s": 60, "kill_s": 60}, 10)
    await stage.engine.command(A, "drain", {"grace_s": 0.1, "kill_s": 0.1}, 10)
    exited = await stage.listener.first(Exited, A)
    assert (exited.signal, exited.stopped) == (9, True)


async def test_a_later_drain_never_lengthens_and_a_stop_is_a_stop(stage):
    await begun(stage, A, Part.IGNORES_TERM)
    await stage.engine.command(A, "drain", {"grace_s": 3600, "kill_s": 3600}, 10)
    run = stage.engine._runs[A]
    until = run.drain_until
    await stage.engine.command(A, "drain", {"grace_s": 7200, "kill_s": 7200}, 10)
    assert (run.drain_until, run.kill_s) == (until, 3600)
    await stage.engine.cancel(A, 0.1)
    await stage.engine.command(A, "drain", {"grace_s": 3600, "kill_s": 3600}, 10)
    assert (await stage.listener.first(Exited, A)).signal == 9


@pytest.mark.parametrize(
    "args", [{}, {"grace_s": 1}, {"grace_s": -1, "kill_s": 1}, {"grace_s": 1, "kill_s": 1e99}]
)
async def test_wrong_arguments_of_a_drain_are_a_usage_error(stage, args):
    await begun(stage, A, Part.RUNS)
    with pytest.raises(UsageError):
        await stage.engine.command(A, "drain", args, 10)
    assert not stage.engine._runs[A].stopped


# --- who misbehaves
@pytest.mark.parametrize(("how", "kind"), [("floods", "flooded"), ("heap-words", "nonsense")])
async def test_who_misbehaves_is_refused_for_this_half(stage, how, kind):
    await worker(stage, how)
    await stage.listener.find(
        lambda event: isinstance(event, Message) and event.kind == kind, "it is told"
    )
    assert stage.engine._workers.work.of(stage.engine._runs[A]) == []


async def test_a_socket_that_outlives_its_process_is_not_listened_to(stage, tmp_path):
    go = tmp_path / "go"
    script = shlex.join([sys.executable, "-I", "-S", str(SAYS), "leaves-its-socket", str(go)])
    await stage.engine.submit(spec(stage, "sh", "-c", f"{script}; sleep 600"), 1)
    await stage.listener.first(Started, A)
    await eventually(lambda: stage.engine._runs[A].listening, "it is known")
    go.touch()
    await told(stage, lambda one: bool(one.done), "its child speaks")
    await eventually(lambda: "BrokenPipe" in stage.said(A), "it is let go")
    assert stage.engine._workers.work.of(stage.engine._runs[A]) == []


# --- the library, the example, and the preloads beside them
async def run_example(stage: LocalStage, *argv: str, attempt: int = 1) -> None:
    """With the preload in the same process."""
    made = spec(stage, *argv, attempt=attempt)
    preload = place.placed(stage.state.root)
    socket = str(stage.state.socket("worker"))
    env = place.environment(made.env, preload, socket, node_version=None)
    await stage.engine.submit(replace(made, env=env), attempt)
    await stage.listener.first(Started, A, attempt)


def examples() -> list[tuple[str, str]]:
    return [
        (sys.executable, str(EXAMPLES / "worker.py")),
        *((one, str(EXAMPLES / "worker.cjs")) for one in NODES),
    ]


@pytest.mark.parametrize("program", examples(), ids=lambda one: Path(one[1]).name)
async def test_an_attempt_drains_and_the_next_goes_on_from_its_checkpoint(stage, program):
    binary, script = program
    pace = "0.02" if script.endswith(".py") else "20"
    await run_example(stage, binary, script, "10000", pace)
    await told(stage, lambda one: (one.done or 0) >= 3 and one.can, "it works")
    run = stage.engine._runs[A]
    await eventually(lambda: stage.engine._workers.heaps(A), "its heap is seen too")
    assert len(stage.engine._workers.work.of(run)) == 1
    asked = work_of(await stage.engine.command(A, "checkpoint", {}, 20))
    assert asked.checkpoint_bytes == stage.state.checkpoint(A).stat().st_size
    await stage.engine.command(A, "drain", {"grace_s": 30, "kill_s": 1}, 10)
    exited = await stage.listener.first(Exited, A)
    assert (exited.code, exited.stopped) == (0, True)
    assert exited.work is not None
    assert exited.work.drained
    state = kept(stage)
    assert state["next"] == exited.work.done >= 3
    assert parts(stage) == []
    await stage.engine.acknowledge(A, 1)
    await run_example(stage, binary, script, str(state["next"] + 3), pace, attempt=2)
    second = await stage.listener.first(Exited, A, 2)
    assert stage.said(A, 2).startswith(f"begins at {state['next']}\n")
    assert second.code == 0
    result = json.loads(stage.state.result(A).read_bytes())
    assert result == {"sum": sum(n * n for n in range(state["next"] + 3))}
    assert second.work is not None
    assert second.work.result_bytes == stage.state.result(A).stat().st_size


@pytest.mark.parametrize("program", examples(), ids=lambda one: Path(one[1]).name)
async def test_a_worker_finds_the_next_engine_and_tells_all_again(stage, program):
    binary, script = program
    await run_example(stage, binary, script, "10000", "0.02" if script.endswith(".py") else "20")
    before = await told(stage, lambda one: (one.done or 0) >= 3, "it works")
    await stage.leave()
    await stage.enter()
    work = await told(stage, lambda one: one.can and one.checkpoint_at and one.done, "again")
    assert work.done > before.done
    await stage.engine.command(A, "drain", {"grace_s": 30, "kill_s": 1}, 10)
    exited = await stage.listener.first(Exited, A)
    assert exited.code == 0
    assert exited.work.drained
    assert kept(stage)["next"] == exited.work.done


async def test_killed_while_it_keeps_one_the_one_before_is_whole(stage):
    source = (
        "import sys\n"
        "from heaptui import worker\n"
        "w = worker.connect()\n"
        "n = 0\n"
        "while True:\n"
        "    n += 1\n"
        "    w.checkpoint({'n': n, 'text': 'x' * 900_000, 'again': n})\n"
    )
    for attempt in range(1, 6):
        argv = (sys.executable, "-c", source)
        await stage.engine.submit(spec(stage, *argv, attempt=attempt), attempt)
        started = await stage.listener.first(Started, A, attempt)
        target = stage.state.checkpoint(A)
        await eventually(lambda path=target: path.exists() and parts(stage), "it is at it")
        os.kill(started.identity.pid, signal.SIGKILL)
        await stage.listener.first(Exited, A, attempt)
        state = json.loads(target.read_bytes())
        assert state["n"] == state["again"]
        assert parts(stage) == []
        await stage.engine.acknowledge(A, attempt)
