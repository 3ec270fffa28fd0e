"""The commands on heaps of real programs: Node and Python, busy, ended, and on a full disk."""

from __future__ import annotations

import json
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from heaptui.runtime.node import locate, wheel
from tests.integration.operating import Operated, said, wait_until

HOLD = """
const kept = [];
while (process.memoryUsage().heapUsed < %d * 1048576) {
  kept.push({ id: kept.length, text: 'line '.repeat(20) + kept.length });
}
%s
setInterval(() => kept.length, 1000);
"""
GARBAGE = """
for (let i = 0; i < 200000; i++) { kept.push({ i }); }
kept.length = 10;
"""
PYTHON = """
import time
kept = [{'n': n, 'text': 'x' * 50 + str(n)} for n in range(60000)]
while True:
    time.sleep(0.05)
"""


@pytest.fixture
def operated(tmp_path):
    made = Operated(tmp_path / "s")
    yield made
    made.clean_up()


@pytest.fixture(params=["system", "wheel"])
def node(request):
    found = locate(dict(os.environ), Path("/")) if request.param == "system" else wheel()
    assert found is not None
    return str(found)


def running(operated: Operated, tmp_path: Path, *command: str, **options: str) -> str:
    """A task whose heap is known: its id."""
    task = operated.run(*command, **options)

    def reported() -> bool:
        (row,) = [row for row in operated.rows().values() if row["id"] == task]
        assert row["state"] in ("queued", "starting", "running"), row
        return bool(row["heap_used_bytes"])

    wait_until(reported, "its heap")
    return task


def program(tmp_path: Path, megabytes: int, rest: str = "") -> str:
    path = tmp_path / f"hold-{megabytes}.cjs"
    path.write_text(HOLD % (megabytes, rest))
    return str(path)


def test_a_node_task_is_seen_into_collected_and_written(operated, tmp_path, node):
    task = running(operated, tmp_path, node, program(tmp_path, 20, GARBAGE), name="agent")
    (row,) = operated.told("ps")
    assert row["heap_used_bytes"] > 1 << 20
    assert row["heap_limit_bytes"] > row["heap_used_bytes"]
    assert row["external_bytes"] > 0
    assert row["heap_peak_bytes"] >= row["heap_used_bytes"]
    shown = operated("ps").stdout.splitlines()
    assert "HEAP" in shown[0].split()

    (collected,) = operated.told("gc", "agent")
    assert collected["error"] is None
    assert collected["heap_after"] < collected["heap_before"]
    assert collected["text"].startswith("agent: heap ")
    assert "→" in operated("gc", task).stdout

    plan = operated.told("snapshot", task, "--plan")
    assert plan["verdict"] == "fits"
    assert plan["extra_bytes"] > plan["heap_bytes"]
    done = operated("snapshot", task)
    path = Path(done.stdout.strip())
    assert path.parent == operated.root / "snapshots"
    assert path.stat().st_mode & 0o777 == 0o600
    assert "secrets" in done.stderr
    assert json.loads(path.read_bytes())["snapshot"]["node_count"] > 1000

    elsewhere = tmp_path / "mine.heapsnapshot"
    written = operated.told("snapshot", task, "-o", str(elsewhere))
    assert written["path"] == str(elsewhere)
    said(operated("snapshot", task, "-o", str(elsewhere)), 5, "there already")
    assert [one["path"] for one in operated.told("snapshots")] == [str(elsewhere), str(path)]
    assert "agent" in operated("snapshots", "agent").stdout

    said(operated("snapshots", "--delete", "1"), 0, "1 deleted")
    assert not path.exists()
    said(operated("snapshots", "--delete", "1"), 1, "no such snapshot")
    events = [event["text"] for event in operated.told("show", task)["events"]]
    assert any("heap snapshot 1" in text and "0600" in text for text in events)
    assert any(text.startswith("agent: heap") for text in events)


def test_a_python_task_likewise(operated, tmp_path):
    path = tmp_path / "hold.py"
    path.write_text(PYTHON)
    task = running(operated, tmp_path, sys.executable, str(path), name="agent")
    (collected,) = operated.told("gc", task)
    assert (collected["error"], collected["runtime"]) == (None, "python")
    written = operated.told("snapshot", task)
    assert (written["format"], written["runtime"]) == ("python", "python")
    assert Path(written["path"]).stat().st_mode & 0o777 == 0o600
    assert written["pause_s"] < written["seconds"]


def test_it_is_collected_while_it_computes(operated, tmp_path, node):
    # for five seconds, which is longer than it may take and shorter than anybody waits
    busy = (
        "setTimeout(() => { const until = Date.now() + 5000; while (Date.now() < until); }, 500);"
    )
    task = running(operated, tmp_path, node, program(tmp_path, 15, busy), name="busy")
    (collected,) = operated.told("gc", task)
    assert collected["error"] is None


def test_near_its_cap_it_is_written_only_with_leave(operated, tmp_path):
    node = locate(dict(os.environ), Path("/"))
    task = running(operated, tmp_path, str(node), program(tmp_path, 40), name="tight", cap="300M")
    refused = operated("snapshot", task)
    said(refused, 5, "the cap of 300M leaves", "--raise-cap")
    assert refused.stdout == ""
    written = operated.told("snapshot", task, "--raise-cap")
    assert Path(written["path"]).exists()
    assert operated.until("tight", "running")["pid"]
    events = [event["text"] for event in operated.told("show", task)["events"]]
    assert any(text.startswith("cap raised to") for text in events)


def test_what_has_no_heap_says_why(operated, tmp_path):
    task = operated.run("sleep", "60", name="plain")
    operated.until("plain", "running")
    for verb in ("gc", "snapshot"):
        said(operated(verb, task), 5, "plain shows no heap")
    said(operated("gc", "nothing"), 3, "No task fits")
    wait_until(lambda: operated.rows()["plain"]["heap_absent"], "the reason")


def test_a_full_disk_in_mid_snapshot_leaves_nothing_behind(operated, tmp_path, node):
    # no file of it may grow beyond a megabyte; the runtime is told so instead of being killed
    limited = f'trap "" XFSZ; ulimit -f 1024; exec "{node}" "{program(tmp_path, 30)}"'
    task = running(operated, tmp_path, "sh", "-c", limited, name="full")
    done = operated("snapshot", task)
    assert done.returncode == 5, done.stderr
    assert "wrote no snapshot" in done.stderr
    assert list((operated.root / "snapshots").iterdir()) == []
    assert operated.told("snapshots") == []
    assert operated.until("full", "running")["pid"]


def test_a_process_that_is_killed_in_mid_snapshot_leaves_nothing_behind(operated, tmp_path):
    node = locate(dict(os.environ), Path("/"))
    task = running(operated, tmp_path, str(node), program(tmp_path, 80), name="dying")
    pid = operated.until("dying", "running")["pid"]
    asking = operated.start("snapshot", task)
    directory = operated.root / "snapshots"

    def grows() -> bool:
        # it has begun: it takes memory for the graph
        return psutil.Process(pid).memory_info().rss > 300 << 20

    wait_until(grows, "the snapshot to begin")
    os.kill(pid, signal.SIGKILL)
    _, words = asking.communicate(timeout=60)
    assert asking.returncode == 1, words
    assert b"ended while its heap snapshot was being written" in words
    row = operated.until("dying", "failed")
    assert "while its heap snapshot was written" in row["reason"]
    assert list(directory.iterdir()) == []


def test_a_process_that_is_stopped_is_not_waited_for(operated, tmp_path):
    node = locate(dict(os.environ), Path("/"))
    task = running(operated, tmp_path, str(node), program(tmp_path, 10), name="frozen")
    pid = operated.until("frozen", "running")["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        said(operated("gc", task), 5, "SIGSTOP")
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def test_the_snapshot_is_recorded_though_its_asker_was_killed(operated, tmp_path):
    node = locate(dict(os.environ), Path("/"))
    task = running(operated, tmp_path, str(node), program(tmp_path, 60), name="left")
    pid = operated.until("left", "running")["pid"]
    asking = operated.start("snapshot", task)
    before = psutil.Process(pid).memory_info().rss
    wait_until(lambda: psutil.Process(pid).memory_info().rss > before + (60 << 20), "it to begin")
    asking.kill()
    asking.communicate()
    (listed,) = wait_until(lambda: operated.told("snapshots", task), "the record")
    assert Path(listed["path"]).exists()
