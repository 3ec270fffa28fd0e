"""The result of a task that was split, made of real files."""

from __future__ import annotations

import os
import stat

import pytest

from heaptui import output
from heaptui.errors import StorageTrouble
from heaptui.model import State
from heaptui.paths import StateDir
from heaptui.store.records import Kin
from heaptui.supervisor.machine import Trigger
from heaptui.supervisor.splitting import families
from heaptui.supervisor.splitting.joining import join, result_paths
from tests.unit.supervisor.splitting.home import Home
from tests.unit.supervisor.tasks import task


class Files:
    """A parent, its children, and what each left."""

    def __init__(self, state: StateDir) -> None:
        self.state = state
        self.parent = task("p", State.SPLIT, attempts=2)

    def child(self, part: int, *, items: int | None = 1, reduces: bool = False, **fields):
        kin = Kin(part=part, depth=1, reduces=reduces)
        given = {"attempts": 1, "state": State.DONE, **fields}
        one = task(f"c{part}", parent="p", kin=kin, items=items, **given)
        self.parent.children.append(one)
        return one

    def hand_in(self, task_id: str, text: str) -> None:
        self.state.task(task_id).mkdir(exist_ok=True)
        self.state.result(task_id).write_text(text)

    def print(self, task_id: str, attempt: int, text: str) -> None:
        self.state.task(task_id).mkdir(exist_ok=True)
        self.state.output(task_id, attempt).write_text(text)

    async def joined(self) -> str | None:
        size = await join(self.state, self.parent)
        if size is None:
            assert not self.state.result("p").exists()
            return None
        text = self.state.result("p").read_text()
        assert len(text.encode()) == size
        return text


@pytest.fixture
def files(tmp_path):
    return Files(StateDir(tmp_path / "s").prepare())


async def test_its_own_part_comes_first_then_its_childrens_each_ended_by_a_newline(files):
    files.hand_in("p", "own")
    files.child(2)
    files.child(1)
    files.hand_in("c1", "one\n")
    files.hand_in("c2", "two")
    files.print("c2", 1, "noise")
    assert await files.joined() == "own\none\ntwo\n"
    status = files.state.result("p").stat()
    assert stat.S_IMODE(status.st_mode) == 0o600
    assert sorted(path.name for path in files.state.task("p").iterdir()) == ["result", "result.own"]


async def test_joined_again_it_is_the_same(files):
    """As after a kill at any point, or another try of a child."""
    files.hand_in("p", "own")
    files.child(1)
    files.hand_in("c1", "one")
    for _ in range(3):
        assert await files.joined() == "own\none\n"
    (files.state.task("p") / "result.xyz.joined.part").write_text("half")
    files.hand_in("c1", "another")
    assert await files.joined() == "own\nanother\n"
    assert not list(files.state.task("p").glob("*.part"))


async def test_a_parent_that_handed_in_nothing_is_not_taken_for_one_when_it_is_joined_again(files):
    files.child(1)
    files.hand_in("c1", "one")
    for _ in range(3):
        assert await files.joined() == "one\n"


async def test_what_was_printed_stands_for_what_was_not_handed_in(files):
    files.print("p", 10, "p10\n")
    files.print("p", 2, "p2\n")
    files.child(1, attempts=2)
    files.print("c1", 1, "first\n")
    files.print("c1", 2, "the rest\n")
    # without a slice each attempt does all of it
    files.child(2, attempts=2, items=None)
    files.print("c2", 1, "in vain\n")
    files.print("c2", 2, "whole\n")
    files.child(3, state=State.STOPPED, attempts=0)
    files.child(4)
    files.hand_in("c4", "")
    files.print("c4", 1, "noise\n")
    assert await files.joined() == "p2\np10\nfirst\nthe rest\nwhole\n"


async def test_what_was_given_back_of_an_output_is_said(files):
    files.child(1)
    files.print("c1", 1, "x" * 20_000 + "\nend\n")
    path = files.state.output("c1", 1)
    gone = output.give_back(path, 5)
    if output.given_back(path) != gone:
        pytest.skip("no holes on this file system")
    text = await files.joined()
    assert text is not None
    assert text.startswith(f"[{gone} bytes of older output were given back]\nx")
    assert text.endswith("x\nend\n")
    assert "\0" not in text


async def test_a_reducers_result_stands_alone_when_it_is_done(files):
    files.hand_in("p", "own")
    files.child(1)
    files.hand_in("c1", "one")
    reducer = files.child(2, items=None, reduces=True)
    files.hand_in("c2", "all of it\n")
    assert await files.joined() == "all of it\n"
    paths = result_paths(files.state, files.parent.children)
    assert [path.name for path in paths] == ["result.own", "result"]
    assert paths[1] == files.state.result("c1")
    reducer.state = State.FAILED
    assert await files.joined() == "own\none\n"


async def test_before_the_first_join_a_reducer_gets_what_the_parent_left(files):
    child = files.child(1)
    assert result_paths(files.state, [child]) == []
    files.print("p", 1, "x")
    assert result_paths(files.state, [child]) == [files.state.output("p", 1)]
    files.hand_in("p", "own")
    assert result_paths(files.state, [child]) == [files.state.result("p")]


async def test_what_is_no_file_of_ours_is_left_out(files):
    for part in (1, 2):
        files.child(part)
        files.print(f"c{part}", 1, f"printed {part}\n")
    os.mkfifo(files.state.result("c1"))
    files.state.result("c2").symlink_to("/etc/passwd")
    assert await files.joined() == "printed 1\nprinted 2\n"


async def test_with_nothing_to_join_there_is_no_result(files):
    files.child(1, attempts=0, state=State.STOPPED)
    assert await files.joined() is None
    files.hand_in("c1", "one")
    assert await files.joined() == "one\n"


async def test_a_disk_that_does_not_take_it_loses_no_parent(tmp_path, monkeypatch):
    monkeypatch.setattr(families, "AGAIN_S", 0)
    home = Home(tmp_path / "s")
    parent = await home.submit("p")
    (child,) = await home.divide(parent, [set()])
    files = Files(home.state)
    files.hand_in(child.id, "one")
    # a directory in its place cannot be replaced by a file
    in_the_way = home.state.result("p")
    (in_the_way / "x").mkdir(parents=True)
    home.state.own_result("p").touch()
    assert home.dispatched() is child
    with pytest.raises(StorageTrouble, match="cannot be joined"):
        await join(home.state, parent)
    home.end(child, Trigger.FINISHED)
    tries = 0
    real = families.joining.join

    async def counted(state, task):
        nonlocal tries
        tries += 1
        if tries == 3:
            assert home.ledger.trouble is not None
            assert parent.state is State.SPLIT
            (in_the_way / "x").rmdir()
            in_the_way.rmdir()
        return await real(state, task)

    monkeypatch.setattr(families.joining, "join", counted)
    await home.rest()
    assert (tries, parent.state, parent.result_bytes) == (3, State.DONE, 4)
