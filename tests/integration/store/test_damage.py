"""A damaged file: said at opening or reading, and mended without losing what can be read."""

from __future__ import annotations

import sqlite3
import stat
from contextlib import closing

import pytest

from heaptui.errors import Refused, StorageTrouble
from heaptui.inputs import ChildShare, Division, Inputs, Item, Source
from heaptui.model import Event, State
from heaptui.store import opening
from heaptui.store.mend import PAGE, Mended, mend
from heaptui.store.records import Batch, Kin, Rollup
from heaptui.store.store import Store

TASKS = 400


@pytest.fixture
async def filled(path, task, attempt):
    """A database of some hundred pages, closed."""
    store = await Store.open(path, "first")
    for n in range(TASKS):
        name = f"t{n:03}"
        ended = task(name, order=n, state=State.DONE, ended_at=float(n), reason="r" * 200)
        await store.write(
            Batch(
                tasks=[ended],
                attempts=[attempt(name, ended_at=float(n), peak_bytes=n)],
                events=[Event(at=1.0, task_id=name, attempt=1, kind="k", text="e" * 300)],
                rollups=[
                    Rollup(task_id=name, attempt=1, minute=minute, low=1, high=2, last=1)
                    for minute in range(5)
                ],
            )
        )
    await store.set_meta("paused", "1")
    await store.close()
    return path


def leaves(path, table: str) -> list[int]:
    """Numbers of the leaf pages of a table's tree, in the file's order (fileformat2.html, 1.6)."""
    data = path.read_bytes()
    with closing(sqlite3.connect(path)) as database:
        (root,) = database.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)
        ).fetchone()
    page = data[(root - 1) * PAGE : root * PAGE]
    assert page[0] == 5  # an interior page of a table
    cells = int.from_bytes(page[3:5])
    pointers = [int.from_bytes(page[12 + 2 * n : 14 + 2 * n]) for n in range(cells)]
    children = [int.from_bytes(page[at : at + 4]) for at in pointers]
    children.append(int.from_bytes(page[8:12]))
    return children


def ruin(path, number: int) -> None:
    with path.open("r+b") as file:
        file.seek((number - 1) * PAGE)
        file.write(b"\xa5" * PAGE)


def kept(path) -> list[str]:
    return sorted(file.name for file in path.parent.glob("heaptui.db.damaged-*"))


@pytest.mark.parametrize(
    "content", [b"not a database at all, " * 500, b"\0" * PAGE * 3, b"SQLite format 3\0"]
)
async def test_a_file_of_garbage_is_named_and_kept(path, content):
    path.write_bytes(content)
    with pytest.raises(StorageTrouble, match="damaged") as trouble:
        await Store.open(path, "s")
    assert "heaptui doctor --mend-store" in trouble.value.remedy
    assert path.read_bytes() == content
    mended = await mend(path)
    assert mended.kept is not None
    assert mended.kept.read_bytes() == content
    assert mended.tasks == 0
    store = await Store.open(path, "s")
    assert await store.all_tasks(9) == []
    await store.close()


async def test_a_ruined_page_is_found_at_opening_and_costs_only_its_rows(filled):
    pages = leaves(filled, "tasks")
    ruin(filled, pages[3])
    with pytest.raises(StorageTrouble, match="damaged") as trouble:
        await Store.open(filled, "s")
    assert "--mend-store" in trouble.value.remedy
    damaged = filled.read_bytes()
    mended = await mend(filled)
    per_page = TASKS / len(pages)
    assert TASKS - 2 * per_page <= mended.tasks < TASKS
    assert mended.unreadable == 1
    assert (mended.attempts, mended.events, mended.rollups) == (TASKS, TASKS, 5 * TASKS)
    assert mended.kept is not None
    assert mended.kept.read_bytes() == damaged
    assert stat.S_IMODE(filled.stat().st_mode) == 0o600
    store = await Store.open(filled, "second")
    assert len(await store.all_tasks(TASKS)) == mended.tasks
    assert (await store.task("t399")) is not None
    assert await store.get_meta("paused") == "1"
    await store.close()
    with closing(sqlite3.connect(filled)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert database.execute(
            "SELECT DISTINCT supervisor_id FROM worker_sessions"
        ).fetchall() == [("first",)]


@pytest.mark.parametrize("which", [0, -1])
async def test_the_first_and_the_last_page_of_a_table_can_be_lost(filled, which):
    pages = leaves(filled, "events")
    ruin(filled, pages[which])
    mended = await mend(filled)
    assert mended.tasks == TASKS
    assert TASKS - 2 * TASKS / len(pages) <= mended.events < TASKS


async def test_several_ruined_pages(filled):
    for table in ("tasks", "worker_sessions", "events"):
        for page in leaves(filled, table)[1:-1:3]:
            ruin(filled, page)
    mended = await mend(filled)
    for found in (mended.tasks, mended.attempts, mended.events):
        assert TASKS / 2 < found < TASKS
    assert mended.unreadable >= 6


async def test_a_garbage_header_costs_nothing_but_the_header(filled):
    ruin(filled, 1)
    with pytest.raises(StorageTrouble, match="damaged"):
        await Store.open(filled, "s")
    mended = await mend(filled)
    assert (mended.tasks, mended.attempts, mended.events, mended.rollups) == (
        TASKS,
        TASKS,
        TASKS,
        5 * TASKS,
    )
    assert mended.unreadable == 0
    assert await mend(filled) == Mended()


async def test_a_table_without_its_root_is_lost_alone(filled):
    with closing(sqlite3.connect(filled)) as database:
        (root,) = database.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'tasks'"
        ).fetchone()
    ruin(filled, root)
    mended = await mend(filled)
    assert (mended.tasks, mended.attempts, mended.events) == (0, TASKS, TASKS)
    assert mended.unreadable == 1


async def test_a_truncated_file_gives_what_is_left(filled):
    with filled.open("r+b") as file:
        file.truncate(filled.stat().st_size * 2 // 3)
    with pytest.raises(StorageTrouble, match="damaged"):
        await Store.open(filled, "s")
    mended = await mend(filled)
    assert 0 < mended.tasks < TASKS
    assert mended.unreadable > 0


async def test_a_row_that_heaptui_did_not_write_is_left_out(filled):
    with closing(sqlite3.connect(filled)) as database:
        database.execute("UPDATE tasks SET state = 'dancing' WHERE id = 't007'")
        database.commit()
    store = await Store.open(filled, "s")
    with pytest.raises(StorageTrouble, match="a row does not read") as trouble:
        await store.all_tasks(TASKS)
    assert "--mend-store" in trouble.value.remedy
    await store.close()
    mended = await mend(filled)
    assert (mended.tasks, mended.unreadable) == (TASKS - 1, 1)


@pytest.mark.parametrize("header", [False, True])
async def test_what_was_only_in_the_log_is_salvaged(filled, tmp_path, task, header):
    # a copy taken while it is open is what a machine that died leaves behind
    store = await Store.open(filled, "s")
    # what makes the file grow writes its first page into the log too, and nothing is damaged then
    await store.write(Batch(tasks=[task("t007", order=1000)]))
    copy = tmp_path / "copy" / "heaptui.db"
    copy.parent.mkdir()
    for end in ("", "-wal"):
        (copy.parent / f"heaptui.db{end}").write_bytes((tmp_path / f"heaptui.db{end}").read_bytes())
    await store.close()
    ruin(copy, 1 if header else leaves(filled, "events")[2])
    before = copy.read_bytes()
    mended = await mend(copy)
    assert mended.tasks == TASKS
    assert mended.unreadable == (0 if header else 1)
    assert len(kept(copy)) == 2
    assert mended.kept is not None
    assert mended.kept.read_bytes() == before
    again = await Store.open(copy, "s")
    late = await again.task("t007")
    assert late is not None
    assert late.order == 1000
    await again.close()


async def test_a_large_database_is_checked_only_after_the_machine_died(filled, monkeypatch):
    monkeypatch.setattr(opening, "CHEAP_BYTES", 0)
    ruin(filled, leaves(filled, "tasks")[3])
    store = await Store.open(filled, "s")
    with pytest.raises(StorageTrouble, match="damaged"):
        await store.all_tasks(TASKS)
    await store.close()
    with closing(sqlite3.connect(filled)) as database:
        # what a machine that died in another boot leaves behind
        database.execute(
            "UPDATE meta SET value = 'another boot' WHERE key = ?", (opening.OPENED_IN,)
        )
        database.commit()
    with pytest.raises(StorageTrouble, match="damaged"):
        await Store.open(filled, "s")


async def test_a_whole_database_is_left_alone(filled):
    before = filled.read_bytes()
    assert await mend(filled) == Mended()
    assert filled.read_bytes() == before
    assert kept(filled) == []


async def test_what_is_not_ours_is_not_mended(path, filled):
    with closing(sqlite3.connect(filled)) as database:
        database.execute("PRAGMA user_version = 7")
    with pytest.raises(Refused, match="its schema is 7"):
        await mend(filled)
    path.unlink()
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE books (title)")
        database.commit()
    with pytest.raises(Refused, match="application id"):
        await mend(path)
    path.unlink()
    with pytest.raises(StorageTrouble, match="cannot be mended"):
        await mend(path)


async def test_who_came_of_whom_and_what_they_work_through_is_salvaged(path, task):
    inputs = Inputs(source=Source.LINES, items=(Item("x", 1), Item("y", 2)), origin="list")
    share = ChildShare(id="b", title="x", items=inputs.items)
    division = Division(at=1.0, by="policy", strategy="lines", timeout_s=9.0, children=(share,))
    kin = Kin(part=1, depth=1, title="x")
    store = await Store.open(path, "s")
    tasks = [task("a", state=State.SPLIT, kin=Kin(children=1)), task("b", parent="a", kin=kin)]
    await store.write(
        Batch(tasks=tasks, inputs={"a": inputs, "b": inputs}, divisions={"a": division})
    )
    await store.close()
    with closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE inputs SET inputs = '{}' WHERE task_id = 'a'")
        database.commit()
    mended = await mend(path)
    assert (mended.tasks, mended.inputs, mended.divisions, mended.unreadable) == (2, 1, 1, 1)
    again = await Store.open(path, "s")
    assert [one.kin for one in await again.children("a")] == [kin]
    assert await again.division("a") == division
    assert (await again.inputs("a"), await again.inputs("b")) == (None, inputs)
    await again.close()
