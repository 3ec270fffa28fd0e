"""What attempts are given to do: from a submission to the files that a worker finds, over a real
store. Nothing runs here: the attempt is laid out, and the test is its worker."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from heaptui.engine.base import LaunchSpec
from heaptui.errors import HeaptuiError, Refused, StorageTrouble, Unreadable, UsageError
from heaptui.inputs import ITEMS_MAX, ChildShare, Division, Handover, Inputs, Item, Source
from heaptui.model import CapMeans, Limits, State, TaskSpec, Verdict, VerdictKind
from heaptui.protocol import Submit, new_ids
from heaptui.runtime.launch import Launch
from heaptui.splitting import listed
from heaptui.store.records import Kin, Recovery
from heaptui.supervisor import submitting
from heaptui.supervisor.launching import NothingLeft, launch_spec
from heaptui.supervisor.machine import Trigger
from heaptui.supervisor.policy.ladder import Decision
from heaptui.supervisor.task import Task
from tests.integration.engine.house import ENVIRONMENT, House


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    house = House(tmp_path / "state")
    await house.open()
    yield house
    await house.vanish()


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """Three files, and a list of things to do."""
    directory = tmp_path / "work"
    directory.mkdir()
    for name in ("a.py", "b.py", "c d.py"):
        (directory / name).write_text(f"# {name}\n" * 100)
    (directory / "TASKS.md").write_text(
        "# Move\n\n- [ ] pack\n- [ ] carry\n- [ ] unpack\n\n## After\n- [ ] sleep\n"
    )
    return directory


async def submit(
    house: House,
    work: Path,
    *argv: str,
    inputs: Inputs | None,
    again: bool = False,
    task_id: str = "",
    **limits: Any,
) -> Task:
    spec = TaskSpec(
        argv=argv, cwd=str(work), name="job", limits=Limits(cap_bytes=64 << 20, **limits)
    )
    request = Submit(
        ids=[task_id or new_ids(1)[0]],
        specs=[spec],
        environment=ENVIRONMENT,
        inputs=[inputs],
        again=again,
    )
    (found,) = await submitting.submit(house.supervisor, request)
    return house.task(found)


async def begun(house: House, task: Task) -> tuple[LaunchSpec, Launch]:
    """Its next attempt, laid out."""
    house.supervisor.ledger.admit(task)
    return await launched(house, task)


async def launched(house: House, task: Task) -> tuple[LaunchSpec, Launch]:
    environment = await house.supervisor.environments.get(task.environment)
    return await launch_spec(house.supervisor.around, task, CapMeans.WATCHDOG, environment)


async def ended(
    house: House, task: Task, kind: VerdictKind = VerdictKind.FAILED, reason: str = "exit code 3"
) -> None:
    """The attempt ends, and the task waits for another one."""
    verdict = Verdict(kind, reason)
    decision = Decision(trigger=Trigger.TRY_AGAIN, recovery=Recovery())
    house.supervisor.ledger.end(task, 1, verdict, None, decision)
    house.supervisor.ledger.due(task)
    await house.supervisor.ledger.commit()


async def split(
    house: House, parent: Task, *shares: tuple[Item, ...], done: tuple[str, ...] = (), **more: Any
) -> list[Task]:
    """Children of a task that waits."""
    ledger = house.supervisor.ledger
    inputs = await house.supervisor.around.known.inputs(parent.id)
    assert inputs is not None
    ids = new_ids(len(shares) + 1)
    given = [
        ChildShare(id=child_id, title=f"part {n}", items=share)
        for n, (child_id, share) in enumerate(zip(ids, shares, strict=False), 1)
    ]
    reducer = ChildShare(id=ids[-1], title="all", items=(), after=tuple(ids[:-1]), reduces=True)
    division = Division(
        at=1, by="operator", strategy="items", timeout_s=1200, done=done,
        children=(*given, reducer), reduce=("cat", "{results}"), error="it was too large", **more,
    )  # fmt: skip
    ledger.split(parent, "split")
    ledger.divide(parent, division)
    for part, share in enumerate(division.children, 1):
        origin = inputs.origin
        if inputs.source in (Source.BOXES, Source.SECTIONS):
            origin = str(house.state.task_list(share.id))
        ledger.add_child(
            parent,
            share.id,
            msgspec.structs.replace(
                parent.spec,
                name=f"{parent.name}:{part}",
                argv=division.reduce if share.reduces else parent.spec.argv,
            ),
            part,
            Kin(part=part, depth=1, title=share.title, after=share.after, reduces=share.reduces),
            None
            if share.reduces
            else Inputs(source=inputs.source, items=share.items, origin=origin),
        )
    await ledger.commit()
    return parent.children


def handover(house: House, task: Task) -> Handover:
    return msgspec.json.decode(house.state.handover(task.id).read_bytes(), type=Handover)


def slice_of(house: House, task: Task) -> list[str]:
    return house.state.slice(task.id).read_text().splitlines()


# --- a task of an operator's --------------------------------------------------------------------
async def test_a_worker_finds_all_it_needs_to_know(house: House, work: Path) -> None:
    inputs = listed.files(["*.py"], work)
    task = await submit(
        house, work, "true", "{items}", "@{slice}", "{results}", inputs=inputs, timeout_s=1200
    )
    assert task.items == 3
    spec, launch = await begun(house, task)
    state = house.state
    slice_file = str(state.slice(task.id))
    assert spec.argv[1:] == ("a.py", "b.py", "c d.py", f"@{slice_file}", "{results}")
    assert launch.argv == spec.argv
    assert slice_of(house, task) == ["a.py", "b.py", "c d.py"]
    told = {key: spec.env[key] for key in spec.env if key in VARIABLES}
    assert told == {
        "HEAPTUI_DONE": str(state.done(task.id)),
        "HEAPTUI_SLICE": slice_file,
        "HEAPTUI_HANDOVER": str(state.handover(task.id)),
    }
    assert spec.done == told["HEAPTUI_DONE"]
    assert Path(spec.done).read_bytes() == b""
    for path in told.values():
        assert stat.S_IMODE(Path(path).stat().st_mode) == 0o600
    about = handover(house, task)
    assert about == Handover(
        task="job",
        goal=("true", "{items}", "@{slice}", "{results}"),
        title="job",
        items=("a.py", "b.py", "c d.py"),
        done=(),
        constraints=(
            "memory: at most 64M for all of its processes together",
            "time: at most 20m",
            f"input: 3 items, about {sum(item.tokens for item in inputs.items)} tokens by a "
            "quarter of their bytes",
        ),
    )


VARIABLES = ("HEAPTUI_DONE", "HEAPTUI_SLICE", "HEAPTUI_HANDOVER", "HEAPTUI_TASK_FILE")


async def test_a_later_attempt_is_given_what_is_left(house: House, work: Path) -> None:
    task = await submit(house, work, "true", "{items}", inputs=listed.files(["*.py"], work))
    spec, _ = await begun(house, task)
    with Path(spec.done).open("a") as done:
        done.write(f"{work}/b.py\na.p")  # in another spelling; and a line that was cut off
    await ended(house, task)
    spec, _ = await begun(house, task)
    assert spec.argv[1:] == ("a.py", "c d.py") == tuple(slice_of(house, task))
    about = handover(house, task)
    assert (about.items, about.done) == (("a.py", "c d.py"), ("b.py",))
    assert about.error == "exit code 3"
    await ended(house, task, VerdictKind.STOPPED, "recycled")
    await begun(house, task)
    assert handover(house, task).error == ""


async def test_what_takes_items_is_not_started_without_any(house: House, work: Path) -> None:
    task = await submit(house, work, "true", "{items}", inputs=listed.files(["*.py"], work))
    spec, _ = await begun(house, task)
    Path(spec.done).write_text("a.py\nb.py\nc d.py\n")
    await ended(house, task)
    with pytest.raises(NothingLeft):
        await begun(house, task)


async def test_what_reads_its_slice_is_started_to_end_its_work(house: House, work: Path) -> None:
    task = await submit(house, work, "true", "{slice}", inputs=listed.files(["*.py"], work))
    spec, _ = await begun(house, task)
    Path(spec.done).write_text("a.py\nb.py\nc d.py\n")
    await ended(house, task)
    await begun(house, task)
    assert slice_of(house, task) == []


async def test_the_end_of_one_with_nothing_left_is_a_good_one(house: House, work: Path) -> None:
    """Through the queue: the supervisor at work."""
    await house.vanish()
    await house.enter()
    house.supervisor.dispatch.paused = True
    task = await submit(house, work, "true", "{items}", inputs=listed.files(["a.py"], work))
    house.state.task(task.id).mkdir(mode=0o700)
    house.state.done(task.id).write_text("a.py\n")
    house.supervisor.dispatch.paused = False
    house.supervisor.dispatch.wake.set()
    await house.until(task, State.DONE)
    assert "was done before" in (task.reason or "")
    assert not house.engine.submitted


async def test_files_of_strange_names_stay_what_they_are(house: House, work: Path) -> None:
    for name in ("-rf", "{slice}", "ö b.py"):
        (work / name).write_text("x")
    inputs = listed.files(["-rf", "{slice}", "ö b.py"], work)
    task = await submit(house, work, "true", "{items}", inputs=inputs)
    spec, _ = await begun(house, task)
    assert spec.argv[1:] == ("./-rf", "{slice}", "ö b.py") == tuple(slice_of(house, task))
    Path(spec.done).write_text("./-rf\n{slice}\n")
    await ended(house, task)
    spec, _ = await begun(house, task)
    assert spec.argv[1:] == ("ö b.py",)


async def test_files_that_are_gone_are_told(house: House, work: Path) -> None:
    task = await submit(house, work, "true", "{items}", inputs=listed.files(["*.py"], work))
    (work / "b.py").unlink()
    spec, launch = await begun(house, task)
    assert spec.argv[1:] == ("a.py", "b.py", "c d.py")
    assert launch.notes[-1:] == ("1 of its 3 files are not there any more: b.py",)


async def test_boxes_that_are_ticked_are_done(house: House, work: Path) -> None:
    file = work / "TASKS.md"
    inputs = listed.from_markdown(file)
    task = await submit(house, work, "true", "--plan={task_file}", "{items}", inputs=inputs)
    spec, _ = await begun(house, task)
    assert spec.argv[1:] == (f"--plan={file}", "pack", "carry", "unpack", "sleep")
    assert spec.env["HEAPTUI_TASK_FILE"] == str(file)
    file.write_text(file.read_text().replace("[ ] carry", "[x] carry"))
    await ended(house, task)
    spec, _ = await begun(house, task)
    assert spec.argv[2:] == ("pack", "unpack", "sleep")
    assert not house.state.task_list(task.id).exists()


async def test_braces_of_a_task_without_inputs_are_its_own(house: House, work: Path) -> None:
    task = await submit(house, work, "true", "{items}", "{a}", inputs=None)
    spec, launch = await begun(house, task)
    assert spec.argv[1:] == ("{items}", "{a}")
    assert spec.done == "" and not set(VARIABLES) & set(spec.env)
    (note,) = launch.notes
    assert "{items} stays" in note
    plain = await submit(house, work, "true", "{a}", inputs=None)
    _, launch = await begun(house, plain)
    assert launch.notes == ()


# --- children -----------------------------------------------------------------------------------
async def test_a_child_knows_where_it_comes_from(house: House, work: Path) -> None:
    inputs = listed.files(["*.py"], work)
    a, b, c = inputs.items
    part = Item("c d.py:11-20", 20, of="c d.py", first=11, last=20)
    parent = await submit(house, work, "true", "{items}", inputs=inputs)
    first, second, _ = await split(house, parent, (b,), (part, c), done=(a.name,))
    spec, _ = await begun(house, first)
    assert spec.argv[1:] == ("b.py",)
    assert handover(house, first) == Handover(
        task="job:1",
        goal=("true", "{items}"),
        title="part 1",
        items=("b.py",),
        done=("a.py",),
        done_count=1,
        parent="job",
        siblings=("part 2", "all"),
        constraints=handover(house, first).constraints,
        error="it was too large",
    )
    spec, _ = await begun(house, second)
    cut, whole = spec.argv[1:]
    assert whole == "c d.py"
    assert Path(cut).parent == house.state.parts(second.id)
    assert Path(cut).read_text() == "# c d.py\n" * 10
    assert stat.S_IMODE(Path(cut).stat().st_mode) == 0o600
    # it may be told as done by the path that was given, or by the name
    Path(spec.done).write_text(f"{cut}\n")
    await ended(house, second)
    spec, _ = await begun(house, second)
    assert spec.argv[1:] == ("c d.py",)
    assert handover(house, second).done == ("a.py", "c d.py:11-20")
    assert handover(house, second).error == "exit code 3"


async def test_a_part_of_a_file_that_is_gone_cannot_be_launched(house: House, work: Path) -> None:
    inputs = listed.files(["*.py"], work)
    part = Item("a.py:1-50", 20, of="a.py", first=1, last=50)
    parent = await submit(house, work, "true", "{items}", inputs=inputs)
    child, *_ = await split(house, parent, (part,))
    (work / "a.py").unlink()
    with pytest.raises(Unreadable, match=r"a\.py"):
        await begun(house, child)


async def test_a_child_has_a_task_file_of_its_own(house: House, work: Path) -> None:
    inputs = listed.from_markdown(work / "TASKS.md")
    pack, carry, unpack, sleep = inputs.items
    parent = await submit(house, work, "true", "{task_file}", "{items}", inputs=inputs)
    first, second, _ = await split(house, parent, (pack, sleep), (carry, unpack))
    spec, _ = await begun(house, first)
    own = house.state.task_list(first.id)
    assert spec.argv[1:] == (str(own), "pack", "sleep")
    assert spec.env["HEAPTUI_TASK_FILE"] == str(own)
    assert stat.S_IMODE(own.stat().st_mode) == 0o600
    assert [item.name for item in listed.from_markdown(own).items] == ["pack", "sleep"]
    # what it ticks there is done, and what it wrote there stays
    own.write_text(own.read_text().replace("[ ] pack", "[x] pack") + "\nnoted\n")
    await ended(house, first)
    spec, _ = await begun(house, first)
    assert spec.argv[2:] == ("sleep",)
    assert own.read_text().endswith("noted\n")
    # a grandchild of one that never ran finds its boxes in the operator's file
    _, grandchild, _ = await split(house, second, (carry,), (unpack,))
    spec, _ = await begun(house, grandchild)
    assert spec.argv[2:] == ("unpack",)
    assert handover(house, grandchild).goal == ("true", "{task_file}", "{items}")
    assert listed.from_markdown(Path(spec.argv[1])).items[0].name == "unpack"
    assert not house.state.task_list(second.id).exists()


async def test_a_child_of_a_task_file_that_is_gone(house: House, work: Path) -> None:
    inputs = listed.from_markdown(work / "TASKS.md")
    parent = await submit(house, work, "true", "{task_file}", inputs=inputs)
    child, *_ = await split(house, parent, inputs.items)
    (work / "TASKS.md").unlink()
    with pytest.raises(Refused, match=r"TASKS\.md is gone"):
        await begun(house, child)


async def test_one_that_reduces_is_given_the_results_in_order(house: House, work: Path) -> None:
    inputs = listed.files(["*.py"], work)
    a, b, c = inputs.items
    parent = await submit(house, work, "true", "{items}", inputs=inputs)
    first, second, reducer = await split(house, parent, (a,), (b, c))
    for child in (first, second):
        spec, _ = await begun(house, child)
        Path(spec.output).write_text("printed\n")
    house.state.result(second.id).write_text("handed in\n")
    spec, _ = await begun(house, reducer)
    results = (str(house.state.output(first.id, 1)), str(house.state.result(second.id)))
    assert spec.argv[1:] == results == tuple(slice_of(house, reducer))
    about = handover(house, reducer)
    assert (about.results, about.items, about.siblings) == (results, (), ("part 1", "part 2"))
    assert about.goal == ("true", "{items}")
    assert spec.done == "" and "HEAPTUI_DONE" not in spec.env


async def test_a_child_is_laid_out_by_the_next_supervisor_as_well(house: House, work: Path) -> None:
    inputs = listed.files(["*.py"], work)
    a, b, c = inputs.items
    parent = await submit(house, work, "true", "{items}", inputs=inputs)
    child, *_ = await split(house, parent, (b, c), done=(a.name,))
    await house.vanish()
    await house.open()
    found = house.task(child.id)
    spec, _ = await begun(house, found)
    assert spec.argv[1:] == ("b.py", "c d.py")
    about = handover(house, found)
    assert (about.parent, about.done, about.siblings) == ("job", ("a.py",), ("all",))


# --- what cannot be -----------------------------------------------------------------------------
def lines(*names: str) -> Inputs:
    return Inputs(
        source=Source.LINES, items=tuple(Item(name, 1) for name in names), origin="a list"
    )


@pytest.mark.parametrize(
    ("argv", "inputs", "error", "words"),
    [
        (("nowhere", "{items}"), lines("a"), Refused, "nowhere"),
        (("true",), lines(), UsageError, "nothing"),
        (("true",), lines("a", "a"), UsageError, "twice"),
        (("true",), lines("a\nb"), UsageError, "line"),
        (("true",), lines("\x00"), UsageError, "line"),
        (("true",), lines("x" * 5000), UsageError, "bytes"),
        (("true", "{slice}"), lines(*map(str, range(ITEMS_MAX + 1))), UsageError, "100,000"),
        (("true", "{items}"), lines(*(f"{n:0100}" for n in range(70_000))), Refused, "{slice}"),
        (("true", "{task_file}"), lines("a"), Refused, "{slice}"),
    ],
)
async def test_what_could_never_run_is_refused_at_once(
    house: House,
    work: Path,
    argv: tuple[str, ...],
    inputs: Inputs,
    error: type[HeaptuiError],
    words: str,
) -> None:
    with pytest.raises(error) as caught:
        await submit(house, work, *argv, inputs=inputs)
    assert words in str(caught.value)
    assert not house.supervisor.ledger.tasks


async def test_as_many_as_there_may_be(house: House, work: Path) -> None:
    inputs = lines(*(f"ticket {n}" for n in range(ITEMS_MAX)))
    task = await submit(house, work, "true", "{slice}", inputs=inputs)
    await begun(house, task)
    assert slice_of(house, task) == [item.name for item in inputs.items]


async def test_inputs_stand_beside_their_tasks(house: House, work: Path) -> None:
    spec = TaskSpec(argv=("true",), cwd=str(work), name="job")
    request = Submit(ids=new_ids(2), specs=[spec] * 2, environment=ENVIRONMENT, inputs=[lines("a")])
    with pytest.raises(UsageError, match="2 tasks"):
        await submitting.submit(house.supervisor, request)
    request = msgspec.structs.replace(request, inputs=[None, lines("a")])
    first, second = await submitting.submit(house.supervisor, request)
    assert (house.task(first).items, house.task(second).items) == (None, 1)


async def test_a_submission_that_comes_again_changes_nothing(house: House, work: Path) -> None:
    task = await submit(house, work, "true", inputs=lines("a", "b"), task_id="abcdef")
    assert (
        await submit(house, work, "true", inputs=lines("c"), task_id="abcdef", again=True) is task
    )
    stored = await house.store.inputs("abcdef")
    assert stored == lines("a", "b")
    assert task.items == 2


async def test_nothing_is_queued_that_cannot_be_stored(house: House, work: Path) -> None:
    await house.fill_disk()
    with pytest.raises(StorageTrouble):
        await submit(house, work, "true", inputs=lines("a", "b"), task_id="abcdef")
    assert house.supervisor.ledger.get("abcdef") is None
    assert house.supervisor.ledger.inputs_unstored("abcdef") is None
    await house.free_disk()
    task = await submit(house, work, "true", inputs=lines("a"), task_id="abcdef")
    assert await house.store.inputs(task.id) == lines("a")


async def test_a_done_file_that_is_none_is_said(house: House, work: Path) -> None:
    task = await submit(house, work, "true", inputs=lines("a"))
    directory = house.state.task(task.id)
    directory.mkdir(mode=0o700)
    os.mkfifo(house.state.done(task.id))
    with pytest.raises(Refused, match="not a plain file"):
        await begun(house, task)


async def test_no_room_for_a_slice_is_trouble_that_passes(house: House, work: Path) -> None:
    task = await submit(house, work, "true", inputs=lines("a"))
    house.state.task(task.id).mkdir(mode=0o700)
    house.state.slice(task.id).mkdir()
    with pytest.raises(StorageTrouble):
        await begun(house, task)
    leftovers = [path.name for path in house.state.task(task.id).iterdir()]
    assert not [name for name in leftovers if name.startswith(".slice")]
    shutil.rmtree(house.state.slice(task.id))
    await launched(house, task)
    assert slice_of(house, task) == ["a"]
