"""What a tree is judged to hold while it grows: a kernel cannot be made to grow a process at one
instant of a walk, so the processes here are rows of a table."""

from collections.abc import Container

from heaptui.memory.procfs import Shared, Stat
from heaptui.memory.sampler import Sampler
from heaptui.model import Identity


class Growing:
    """Two processes of 10 bytes each; whoever walks one finds it grown to 100."""

    def __init__(self) -> None:
        self.rss = {7: 10, 8: 10}

    def _stat(self, pid: int) -> Stat:
        return Stat(pid, 7 if pid == 8 else 1, 7, 100, self.rss[pid], 0.0)

    def everything(self, known: Container[int]) -> list[Stat]:
        return [self._stat(pid) for pid in self.rss if pid not in known]

    newcomers = everything

    def look(self, pid: int) -> Stat | None:
        return self._stat(pid) if pid in self.rss else None

    def probe(self, pid: int, start: int) -> "GrowingProbe | None":
        return GrowingProbe(self, pid) if start == 100 else None

    def marker(self, pid: int) -> str | None:
        return None

    def environment(self, pid: int) -> dict[str, str] | None:
        return None

    def command(self, pid: int) -> str:
        return f"command {pid}"

    executable = command

    def close(self) -> None:
        self.rss.clear()


class GrowingProbe:
    def __init__(self, table: Growing, pid: int) -> None:
        self._table = table
        self._pid = pid

    def read(self) -> Stat | None:
        return self._table.look(self._pid)

    def shared(self) -> Shared | None:
        self._table.rss[self._pid] = 100
        return Shared(100, 100, 100)

    def anonymous(self) -> int | None:
        return None

    def anonymous_now(self) -> int:
        return 1000

    def close(self) -> None:
        pass


async def test_growth_during_the_walk_counts_once() -> None:
    table = Growing()
    sampler = Sampler(table)
    sampler.track("t", 1, Identity("boot", 7, 100), None)
    assert await sampler.judged("t") == 200
    sampler.close()


def test_nothing_is_certain_of_whom_nobody_knows_what_it_began_with() -> None:
    sampler = Sampler(Growing())
    sampler.track("t", 1, Identity("boot", 7, 100), None)
    assert sampler.certain("t") == 0
    assert sampler.certain("unknown") == 0
    sampler.close()
