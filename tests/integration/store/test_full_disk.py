"""No room: the writers are told, nothing that was stored is lost, and it goes on by itself."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from heaptui.errors import StorageTrouble
from heaptui.model import Event
from heaptui.store.records import Batch
from heaptui.store.store import Store

# a limit on the size of a file holds for all files of a process: hence one of its own
LIMITED = """
import asyncio, resource, sys
from pathlib import Path
from heaptui.errors import StorageTrouble
from heaptui.model import Event
from heaptui.store.records import Batch
from heaptui.store.store import Store

def batch(n, size):
    return Batch(events=[Event(at=1.0, task_id=f"t{n}", attempt=1, kind="k", text="x" * size)])

async def main(path):
    store = await Store.open(path, "s")
    await store.write(batch(0, 10))
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
    results = await asyncio.gather(
        *(store.write(batch(n, 2 << 20)) for n in range(1, 6)), return_exceptions=True
    )
    for result in results:
        assert isinstance(result, StorageTrouble), result
        assert "disk" in result.remedy, result.remedy
    assert len(await store.events("t0", 9)) == 1
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    await store.write(batch(6, 2 << 20))
    await store.close()
    again = await Store.open(path, "s")
    print([len(await again.events(f"t{n}", 9)) for n in range(7)])
    await again.close()

asyncio.run(main(Path(sys.argv[1])))
"""


def test_writes_beyond_a_limit_fail_and_later_ones_succeed(path):
    child = subprocess.run(
        [sys.executable, "-c", LIMITED, path],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert child.stderr == ""
    assert child.stdout == "[1, 0, 0, 0, 0, 0, 1]\n"


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    if os.geteuid() != 0 or not sys.platform.startswith("linux"):
        pytest.skip("a disk of its own needs mount(8) and root; the limit above stands in")
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", disk], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("mount(8) is refused here; the limit above stands in")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


def fill(disk: Path) -> Path:
    """Takes all that is left of the disk."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        while True:
            try:
                file.write(bytes(4096))
            except OSError:
                return ballast


def batch(task_id: str, size: int = 10) -> Batch:
    return Batch(events=[Event(at=1.0, task_id=task_id, attempt=1, kind="k", text="x" * size)])


async def test_a_full_disk_is_named_and_the_store_goes_on_when_there_is_room(small_disk):
    store = await Store.open(small_disk / "heaptui.db", "s")
    await store.write(batch("before"))
    ballast = fill(small_disk)
    results = await asyncio.gather(
        *(store.write(batch(f"t{n}", 100_000)) for n in range(8)), return_exceptions=True
    )
    assert all(isinstance(result, StorageTrouble) for result in results)
    assert "is full" in str(results[0])
    assert "goes on by itself" in str(results[0])
    assert len(await store.events("before", 9)) == 1
    ballast.unlink()
    await store.write(batch("after", 100_000))
    await store.close()
    again = await Store.open(small_disk / "heaptui.db", "s")
    found = [len(await again.events(name, 9)) for name in ("before", "t0", "t7", "after")]
    assert found == [1, 0, 0, 1]
    await again.close()


async def test_a_store_closes_on_a_full_disk_and_keeps_what_was_acknowledged(small_disk):
    path = small_disk / "heaptui.db"
    store = await Store.open(path, "s")
    for n in range(50):
        await store.write(batch(f"t{n}", 2000))
    ballast = fill(small_disk)
    await store.close()
    ballast.unlink()
    again = await Store.open(path, "s")
    assert [len(await again.events(f"t{n}", 9)) for n in range(50)] == [1] * 50
    await again.close()


LEAVES = """
import asyncio, os, sys
from pathlib import Path
from heaptui.model import Event
from heaptui.store.records import Batch
from heaptui.store.store import Store

async def main(path):
    store = await Store.open(path, "s")
    await store.write(Batch(events=[Event(at=1.0, task_id="t", attempt=1, kind="k", text="x")]))
    os.kill(os.getpid(), 9)

asyncio.run(main(Path(sys.argv[1])))
"""


async def test_a_successor_opens_on_a_full_disk_what_a_killed_process_left(small_disk):
    path = small_disk / "heaptui.db"
    assert subprocess.run([sys.executable, "-c", LEAVES, path], check=False).returncode == -9
    ballast = fill(small_disk)
    store = await Store.open(path, "s")
    assert len(await store.events("t", 9)) == 1
    with pytest.raises(StorageTrouble, match="full"):
        await store.write(batch("u", 100_000))
    ballast.unlink()
    await store.write(batch("u", 100_000))
    await store.close()


async def test_a_full_disk_without_a_database_is_named(small_disk):
    fill(small_disk)
    with pytest.raises(StorageTrouble, match=r"full|failed"):
        await Store.open(small_disk / "heaptui.db", "s")


async def test_a_directory_that_is_not_there_is_named(tmp_path):
    with pytest.raises(StorageTrouble, match="cannot be made") as trouble:
        await Store.open(tmp_path / "none" / "heaptui.db", "s")
    assert "--state DIR" in trouble.value.remedy
