"""Which processes belong to which task, where no cgroup says so.

A process belongs to a task when its parent does, when it is in the session that the task's leader
leads, or when its environment carries the task's marker. Once seen in a tree it stays a member as
long as it lives: a daemon that left its session and lost its parent is still the task's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from heaptui.memory.procfs import Shared, Stat
from heaptui.memory.table import Probe, Table
from heaptui.model import Identity


@dataclass(slots=True, eq=False)
class Member:
    """One process of a tree, and what was last read of it.

    `cpu_base_s` is its CPU time at the last sample (None before the first). `shared` is what was
    last read (None: not yet, or it cannot be known), `shared_cost_s` how long reading took (None:
    not yet read); until `shared_after`, of the monotonic clock, it is not read again. `inherited`
    is the anonymous memory that it had when it was found (None: that is not known).
    """

    tree: Tree
    probe: Probe
    stat: Stat
    cpu_base_s: float | None = None
    cpu_percent: float | None = None
    shared: Shared | None = None
    shared_cost_s: float | None = None
    shared_after: float = float("-inf")
    inherited: int | None = None
    gone: bool = False


@dataclass(slots=True, eq=False)
class Tree:
    """The processes of one attempt. `session` 0: its leader does not lead a session."""

    task_id: str
    attempt: int
    leader: Identity
    members: dict[int, Member] = field(default_factory=dict)
    session: int = 0

    @property
    def marker(self) -> str:
        return f"{self.task_id}.{self.attempt}"


class Forest:
    """All trees, and every process that was asked once whether it belongs to one.

    Not for several threads at once.
    """

    def __init__(self, table: Table) -> None:
        self._table = table
        self._trees: dict[str, Tree] = {}
        self._members: dict[int, Member] = {}
        self._by_session: dict[int, Tree] = {}
        self._by_marker: dict[str, Tree] = {}
        self._strangers: dict[int, tuple[Stat, str | None]] = {}
        self.arrivals: list[Member] = []
        """Members found since somebody emptied this list."""

    def get(self, task_id: str) -> Tree | None:
        return self._trees.get(task_id)

    def trees(self) -> Iterable[Tree]:
        return self._trees.values()

    def plant(self, task_id: str, attempt: int, leader: Identity) -> Tree:
        """Begins to follow an attempt; a former attempt of the task is let go."""
        self.fell(task_id)
        tree = Tree(task_id, attempt, leader)
        self._trees[task_id] = tree
        self._by_marker[tree.marker] = tree
        stat = self._table.look(leader.pid)
        if stat is not None and stat.start == leader.start:
            self._add(tree, stat)
        self._find_session(tree)
        # its children may have been looked at before anybody knew of the task
        self._settle([stat for stat, _ in self._strangers.values()])
        return tree

    def fell(self, task_id: str) -> None:
        """Lets go of a tree; its processes are left alone."""
        tree = self._trees.pop(task_id, None)
        if tree is None:
            return
        self._by_marker.pop(tree.marker, None)
        self._by_session.pop(tree.session, None)
        for member in list(tree.members.values()):
            self._drop(member)

    def refresh(self, tree: Tree) -> None:
        """Reads every member again and drops the dead."""
        for member in list(tree.members.values()):
            stat = member.probe.read()
            if stat is None:
                self._drop(member)
            else:
                member.stat = stat
        if not tree.session:
            self._find_session(tree)

    def discover(self) -> None:
        """Looks at the processes born since the last look."""
        self._settle(self._table.newcomers(self._members))

    def survey(self) -> None:
        """Looks at every process there is."""
        seen = self._table.everything(self._members)
        alive = {stat.pid: stat.start for stat in seen}
        self._strangers = {
            pid: known for pid, known in self._strangers.items() if alive.get(pid) == known[0].start
        }
        self._settle(seen)

    def admit(self, tree: Tree, pids: Iterable[int]) -> None:
        """These belong to it, as its cgroup says."""
        for pid in pids:
            if pid not in self._members and (stat := self._table.look(pid)) is not None:
                self._add(tree, stat)

    def close(self) -> None:
        for task_id in list(self._trees):
            self.fell(task_id)
        self._table.close()

    def _settle(self, stats: list[Stat]) -> None:
        # a child may come before its parent in the list: again, until nothing is found any more
        found = True
        while found and stats:
            found, rest = False, []
            for stat in stats:
                tree = self._home(stat)
                if tree is None:
                    rest.append(stat)
                elif self._add(tree, stat):
                    found = True
            stats = rest

    def _home(self, stat: Stat) -> Tree | None:
        parent = self._members.get(stat.ppid)
        if parent is not None and parent.stat.start <= stat.start:
            return parent.tree
        tree = self._by_session.get(stat.session)
        if tree is not None:
            if stat.pid != stat.session or stat.start == tree.leader.start:
                return tree
            # the leader's pid was given to another, which leads a session of its own
            del self._by_session[stat.session]
        known = self._strangers.get(stat.pid)
        if known is None or known[0].start != stat.start:
            known = (stat, self._table.marker(stat.pid))
            self._strangers[stat.pid] = known
        return None if known[1] is None else self._by_marker.get(known[1])

    def _add(self, tree: Tree, stat: Stat) -> bool:
        probe = self._table.probe(stat.pid, stat.start)
        if probe is None:
            return False
        self._strangers.pop(stat.pid, None)
        # of its parent's, for all that is known
        inherited = 0 if stat.executed else probe.anonymous()
        member = Member(tree, probe, stat, inherited=inherited)
        tree.members[stat.pid] = self._members[stat.pid] = member
        self.arrivals.append(member)
        return True

    def _drop(self, member: Member) -> None:
        member.gone = True
        member.probe.close()
        del member.tree.members[member.stat.pid]
        del self._members[member.stat.pid]

    def _find_session(self, tree: Tree) -> None:
        leader = tree.members.get(tree.leader.pid)
        if leader is not None and leader.stat.session == leader.stat.pid:
            tree.session = leader.stat.pid
            self._by_session[tree.session] = tree
