"""The rules of membership where a pid comes to mean another process: a kernel cannot be made to
do that at will, so the processes here are rows of a table."""

from collections.abc import Container
from dataclasses import dataclass, field

from heaptui.memory.procfs import Shared, Stat
from heaptui.memory.tree import Forest
from heaptui.model import Identity


@dataclass
class Rows:
    rows: dict[int, Stat] = field(default_factory=dict)
    markers: dict[int, str] = field(default_factory=dict)
    asked: list[int] = field(default_factory=list)

    def put(self, pid: int, *, ppid: int = 1, session: int = 1, start: int = 100) -> None:
        self.rows[pid] = Stat(pid, ppid, session, start, 4096, 0.0)

    def everything(self, known: Container[int]) -> list[Stat]:
        return [stat for pid, stat in sorted(self.rows.items()) if pid not in known]

    newcomers = everything

    def look(self, pid: int) -> Stat | None:
        return self.rows.get(pid)

    def probe(self, pid: int, start: int) -> "RowProbe | None":
        stat = self.rows.get(pid)
        return RowProbe(self, pid, start) if stat is not None and stat.start == start else None

    def marker(self, pid: int) -> str | None:
        self.asked.append(pid)
        return self.markers.get(pid)

    def command(self, pid: int) -> str:
        return f"command {pid}"

    def close(self) -> None:
        self.rows.clear()


@dataclass
class RowProbe:
    table: Rows
    pid: int
    start: int

    def read(self) -> Stat | None:
        stat = self.table.rows.get(self.pid)
        return stat if stat is not None and stat.start == self.start else None

    def shared(self) -> Shared | None:
        return None

    def anonymous(self) -> int | None:
        return None

    def anonymous_now(self) -> int:
        return 0

    def close(self) -> None:
        pass


def leader(start: int = 100) -> Identity:
    return Identity("boot", 50, start)


def pids(forest: Forest) -> set[int]:
    tree = forest.get("t")
    assert tree is not None
    return set(tree.members)


def test_descendants_are_found_whatever_their_order() -> None:
    table = Rows()
    table.put(50, session=50)
    table.put(40, ppid=60, session=9)  # pids wrapped: the grandchild has the smaller one
    table.put(60, ppid=50, session=8)
    table.put(70, ppid=1)
    forest = Forest(table)
    forest.plant("t", 1, leader())
    forest.survey()
    assert pids(forest) == {40, 50, 60}


def test_a_member_stays_one_when_it_lost_its_parent_and_its_session() -> None:
    table = Rows()
    table.put(50, session=50)
    table.put(60, ppid=50, session=50)
    forest = Forest(table)
    tree = forest.plant("t", 1, leader())
    forest.survey()
    table.put(60, ppid=1, session=60)
    forest.refresh(tree)
    assert pids(forest) == {50, 60}


def test_a_pid_given_to_another_process_is_no_member() -> None:
    table = Rows()
    table.put(50, session=50)
    table.put(60, ppid=50, session=50)
    forest = Forest(table)
    tree = forest.plant("t", 1, leader())
    forest.survey()
    table.put(60, ppid=1, session=1, start=200)
    forest.refresh(tree)
    forest.survey()
    assert pids(forest) == {50}


def test_the_session_of_a_later_process_with_the_leaders_pid_is_not_the_tasks() -> None:
    table = Rows()
    table.put(50, session=50)
    forest = Forest(table)
    tree = forest.plant("t", 1, leader())
    table.put(50, session=50, start=300)
    table.put(60, ppid=50, session=50, start=301)
    forest.refresh(tree)
    forest.survey()
    assert pids(forest) == set()


def test_a_session_is_the_tasks_only_when_its_leader_leads_it() -> None:
    table = Rows()
    table.put(50, session=7)
    table.put(60, ppid=1, session=7)
    forest = Forest(table)
    forest.plant("t", 1, leader())
    forest.survey()
    assert pids(forest) == {50}


def test_an_environment_is_read_once_for_each_process() -> None:
    table = Rows()
    table.put(50, session=50)
    table.put(60)
    forest = Forest(table)
    forest.plant("t", 1, leader())
    for _ in range(3):
        forest.survey()
    assert table.asked == [60]
    table.put(60, start=500)
    forest.survey()
    assert table.asked == [60, 60]


def test_a_child_seen_before_its_task_was_known_is_found_by_its_marker() -> None:
    table = Rows()
    table.put(60)
    table.markers[60] = "t.2"
    forest = Forest(table)
    forest.survey()
    table.put(50, session=50)
    forest.plant("t", 2, leader())
    assert pids(forest) == {50, 60}


def test_the_marker_of_another_attempt_is_not_this_ones() -> None:
    table = Rows()
    table.put(50, session=50)
    table.put(60)
    table.markers[60] = "t.1"
    forest = Forest(table)
    forest.plant("t", 2, leader())
    forest.survey()
    assert pids(forest) == {50}


def test_a_felled_tree_is_forgotten_whole() -> None:
    table = Rows()
    table.put(50, session=50)
    table.put(60, ppid=50, session=50)
    forest = Forest(table)
    forest.plant("t", 1, leader())
    forest.survey()
    forest.fell("t")
    assert forest.get("t") is None
    forest.plant("other", 1, Identity("boot", 70, 100))
    forest.survey()
    other = forest.get("other")
    assert other is not None
    assert not other.members
