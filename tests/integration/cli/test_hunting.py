"""The leak hunt, from the command line to a finding, in real processes with real leaks."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from heaptui.runtime import node
from heaptui.supervisor import hunting
from tests.integration.operating import end, said, wait_until

MIB = 1 << 20
LEAKY = """
const http = require('http')
const { remember } = require('./memory.cjs')
const cache = new Map()
let n = 0
const text = (bytes) => Buffer.alloc(bytes, `${n} ${Math.random()} `).toString('latin1')
setInterval(() => {
  for (let i = 0; i < 100; i++) cache.set(n++ % 2000, text(2000))
  for (let i = 0; i < 20; i++) remember({ n, content: text(10000) })
}, 100)
http.createServer((_, response) => response.end('ok')).listen(0, '127.0.0.1', function () {
  console.log(this.address().port)
})
"""
MEMORY = """
function makeMemory () {
  const history = []
  return function remember (turn) { history.push(turn) }
}
exports.remember = makeMemory()
"""
PYTHON_LEAKY = """
import time
HISTORY = []
while True:
    HISTORY.extend(str(time.time()) * 100 for _ in range(200))
    time.sleep(0.1)
"""
BUFFERS = """
const held = []
setInterval(() => held.push(Buffer.alloc(1 << 20, held.length)), 150)
"""


@pytest.fixture
def leaky(heaptui, tmp_path: Path) -> str:
    """A Node task with a leak of 2 MB a second; its id."""
    (tmp_path / "agent.cjs").write_text(LEAKY)
    (tmp_path / "memory.cjs").write_text(MEMORY)
    return started(heaptui, "node", str(tmp_path / "agent.cjs"), cap="2G")


def started(heaptui, *argv: str, **options: str) -> str:
    """The id of a task whose heap is reported."""
    task_id = heaptui.run(*argv, name="leaky", **options)
    wait_until(lambda: heaptui.rows()["leaky"]["heap_used_bytes"], "its heap")
    return task_id


def begun(heaptui, *options: str):
    """A hunt that waits between its snapshots."""
    hunt = heaptui.start("hunt", "leaky", "--raise-cap", *options)
    wait_until(lambda: heaptui.told("snapshots"), "the first snapshot")
    return hunt


def test_it_names_the_variable_and_the_file(heaptui, leaky):
    done = heaptui("hunt", "leaky", "--for", "4s", "--raise-cap", "--json")
    said(done, 0, "first snapshot", "waits", "second snapshot", "compares")
    finding = json.loads(done.stdout)
    assert finding["task_id"] == leaky
    assert "history" in finding["holder"]
    assert Path(finding["file"]).name == "memory.cjs"
    assert finding["cut_short"] is None
    assert finding["path"][0] == "(root)"
    assert "history" in finding["path"][-1]
    # 2 MB a second, and nothing of the cache, whose entries are replaced as fast
    pace = sum(grower["bytes_per_min"] for grower in finding["growers"])
    assert 40 * MIB < pace < 200 * MIB
    assert "a minute" in finding["text"]

    snapshots = {one["id"]: one for one in heaptui.told("snapshots")}
    assert set(snapshots) == {finding["before"], finding["after"]}
    for one in snapshots.values():
        assert one["why"] == "hunt"
        assert stat.S_IMODE(Path(one["path"]).stat().st_mode) == 0o600
    assert heaptui.told("findings") == heaptui.told("findings", leaky) == [finding]
    assert finding["text"][:60] in heaptui("findings", "leaky").stdout
    assert "leak hunt: " in heaptui("show", "leaky").stdout


def test_it_waits_for_requests(heaptui, leaky):
    (port,) = wait_until(lambda: heaptui("logs", "leaky").stdout.splitlines()[:1], "its port")
    hunt = begun(heaptui, "--requests", "30", "--json")

    def asked_until_it_ended() -> bool:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30).read()
        return hunt.poll() is not None

    wait_until(asked_until_it_ended, "the end of the hunt", 60)
    out, words = hunt.communicate(timeout=30)
    assert hunt.returncode == 0, words
    assert json.loads(out)["cut_short"] is None
    assert b"of 30 requests" in words


def test_it_goes_on_when_its_caller_leaves_and_can_be_ended(heaptui, leaky):
    hunt = begun(heaptui, "--for", "1h")
    hunt.send_signal(signal.SIGINT)
    _, words = hunt.communicate(timeout=30)
    assert hunt.returncode == 130
    assert b"the hunt goes on" in words
    said(heaptui("hunt", "leaky"), 5, "A hunt of leaky is under way")
    assert heaptui.told("findings") == []

    said(heaptui("hunt", "leaky", "--cancel"), 0, "the hunt ends")
    (finding,) = wait_until(lambda: heaptui.told("findings"), "its finding")
    assert "cancelled after" in finding["cut_short"]
    assert finding["after"] is None
    assert [one["id"] for one in heaptui.told("snapshots")] == [finding["before"]]
    said(heaptui("hunt", "leaky", "--cancel"), 3, "No hunt of leaky is under way")


def test_a_task_that_ends_meanwhile(heaptui, leaky):
    hunt = begun(heaptui, "--for", "1h")
    end(heaptui.rows()["leaky"]["pid"])
    _, words = hunt.communicate(timeout=60)
    assert hunt.returncode == 5
    assert b"leaky ended during the hunt" in words
    (snapshot,) = heaptui.told("snapshots")
    assert f"Its first snapshot stays: {snapshot['path']}".encode() in words
    assert "ended without a finding" in heaptui("show", "leaky").stdout


def test_it_ends_by_itself_near_the_cap(heaptui, tmp_path: Path):
    (tmp_path / "buffers.cjs").write_text(BUFFERS)
    started(heaptui, "node", str(tmp_path / "buffers.cjs"), cap="300M", heap="150M")
    done = heaptui("hunt", "leaky", "--for", "1h", "--raise-cap", "--json")
    finding = json.loads(done.stdout)
    assert "came near the cap" in finding["cut_short"]
    assert finding["before"] is not None
    assert heaptui.rows()["leaky"]["state"] == "running"


def test_python(heaptui, tmp_path: Path):
    script = tmp_path / "agent.py"
    script.write_text(PYTHON_LEAKY)
    started(heaptui, sys.executable, str(script), cap="1G")
    done = heaptui("hunt", "leaky", "--for", "4s", "--raise-cap", "--json")
    assert done.returncode == 0, done.stderr
    finding = json.loads(done.stdout)
    assert "HISTORY" in f"{finding['holder']} {finding['path']}"
    assert finding["growers"][0]["name"] == "str"


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--for", "0s"], 2, ("is not a duration",)),
        (["--for", "3d"], 2, ("one second up to a day",)),
        (["--pid", "1"], 5, ("No heap of plain",)),
        ([], 5, ("No heap of plain can be looked into",)),
    ],
)
def test_what_cannot_be_hunted(heaptui, options, code, words):
    heaptui.run("sleep", "60", name="plain")
    heaptui.until("plain", "running")
    said(heaptui("hunt", "plain", *options), code, *words)
    assert heaptui.told("findings") == []


def test_an_ended_task_has_no_heap(heaptui):
    heaptui.run("true", name="over")
    heaptui.until("over", "done")
    said(heaptui("hunt", "over"), 5, "over is done")
    said(heaptui("findings", "nobody"), 3, "No task fits")
    assert os.listdir(heaptui.state.root / "tasks")


async def test_snapshots_whose_objects_cannot_be_paired_are_compared_by_class(tmp_path: Path):
    """As of a program too busy to take its own: here of two programs."""
    binary = node.locate(dict(os.environ), tmp_path)
    assert binary is not None
    files = [tmp_path / "before.heapsnapshot", tmp_path / "after.heapsnapshot"]
    for path, held in zip(files, (0, 300), strict=True):
        code = (
            f"globalThis.held = Array.from({{ length: {held} }}, (_, n) => "
            "({ text: Buffer.alloc(10000, 'x' + n).toString('latin1') }));"
            f"class A {{}}; globalThis.a = Array.from({{ length: {held * 30} }}, () => new A());"
            f"v8.writeHeapSnapshot({json.dumps(str(path))})"
        )
        subprocess.run([binary, "-e", code], check=True, timeout=60)
    compared = await hunting.compare(files[0], files[1], lambda phase, fraction: None)
    assert isinstance(compared, tuple)
    rows, why = compared
    grown = {row.name: row.delta for row in rows}
    assert grown["A"] == 9000
    assert abs(grown["(string)"] - 300) < 100
    assert "too busy to take its own snapshots" in why
