"""Where a soak happens: directories of its own, and a supervisor of its own over them."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from heaptui.cli.soak.disk import Disk
from heaptui.cli.soak.simulated import Pace
from heaptui.cli.starting import ensure_served, serve_argv
from heaptui.client import Client
from heaptui.errors import HeaptuiError
from heaptui.memory.identity import alive, identify
from heaptui.model import Identity
from heaptui.paths import StateDir

CONCURRENCY = 16
_PATIENCE_S = 30.0
_GONE_WITHIN_S = 20.0
_LOOK_EVERY_S = 0.05

_CONFIG = """\
# The policy's times are compressed with everything else, as far as a look a second can follow.
[queue]
concurrency = {concurrency}

[policy]
ahead = "{ahead_s:g}s"
drain = "{drain_s:g}s"

[retry]
backoff = "{backoff_s:g}s"
backoff_max = "{backoff_max_s:g}s"
"""


@dataclass(frozen=True, slots=True)
class Place:
    """`evidence` holds the workers' own notes, `log` what the first supervisor said. The state
    directory lies on a small disk of its own where that can be had, `no_disk` says why not."""

    root: Path
    state: StateDir
    evidence: Path
    config: Path
    log: Path
    disk: Disk | None
    no_disk: str

    def client(self, name: str) -> Client:
        """A connection that outlives any number of supervisors."""
        return Client(
            self.state, name, _PATIENCE_S, revive=lambda: ensure_served(self.state, self.config)
        )


def make(pace: Pace, *, small_disk: bool) -> Place:
    """A new one; nothing serves it yet."""
    root = Path(tempfile.mkdtemp(prefix="heaptui-soak-")).resolve()
    evidence, config, log = root / "evidence", root / "config.toml", root / "serve.log"
    evidence.mkdir(mode=0o700)
    (root / "state").mkdir(mode=0o700)
    disk, no_disk = (
        Disk.mounted(root / "disk", root / "state") if small_disk else (None, "chaos is off")
    )
    config.write_text(
        _CONFIG.format(
            concurrency=CONCURRENCY,
            ahead_s=pace.clamped_s(60, 5, 60),
            drain_s=pace.clamped_s(30, 10, 30),
            backoff_s=pace.clamped_s(2, 0.5, 2),
            backoff_max_s=pace.clamped_s(300, 5, 300),
        )
    )
    state = StateDir(root / "state").prepare()
    return Place(root, state, evidence, config, log, disk, no_disk)


def serve(made: Place) -> subprocess.Popen[bytes]:
    """A supervisor of it, a child of this process; those that follow are the warden's."""
    argv = [word for word in serve_argv(made.state, made.config) if word != "--until-idle"]
    with made.log.open("ab") as words:
        return subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=words,
            stderr=words,
            cwd="/",
            start_new_session=True,
        )


async def end(made: Place, first: subprocess.Popen[bytes]) -> None:
    """Ends what still runs, the supervisor, and with them the warden; `first` is what `serve`
    began."""
    if made.disk is not None:
        made.disk.free()
    warden = None
    with suppress(HeaptuiError):
        async with made.client("soak") as client:
            warden = identify((await client.ping()).warden_pid or 0)
            rows = await client.tasks()
            if rows:
                await client.stop([row.id for row in rows], now=True)
                await client.settled([row.id for row in rows])
            await client.leave()
    await asyncio.to_thread(_wait_gone, first, warden)


def _wait_gone(first: subprocess.Popen[bytes], warden: Identity | None) -> None:
    deadline = time.monotonic() + _GONE_WITHIN_S
    with suppress(subprocess.TimeoutExpired):
        first.wait(_GONE_WITHIN_S)
    while warden is not None and alive(warden) and time.monotonic() < deadline:
        time.sleep(_LOOK_EVERY_S)


def leave(made: Place, *, keep: bool) -> None:
    """Unmounts what was mounted and deletes everything, or, with `keep`, only the former."""
    if made.disk is not None:
        made.disk.remove(keep=keep)
    if not keep:
        shutil.rmtree(made.root, ignore_errors=True)


def words_of_defects(made: Place) -> list[str]:
    """Traces in what supervisors and wardens wrote, each once, with how often it came."""
    found: Counter[str] = Counter()
    for path in (made.log, made.state.supervisor_log, made.state.warden_log):
        with suppress(FileNotFoundError):
            found.update(traces(path.read_text(errors="replace")))
    return [f"{trace}, {times} times" if times > 1 else trace for trace, times in found.items()]


def traces(text: str) -> list[str]:
    """The last line of each Python trace in it, with the place it names last."""
    found = []
    where = None
    for line in text.splitlines():
        bare = line.lstrip(" |+-")
        if bare.startswith("Traceback "):
            where = "no place"
        elif where is not None and bare.startswith("File "):
            where = bare
        elif where is not None and bare and not line[:1].isspace() and not line.startswith("|"):
            found.append(f"{bare} ({where})")
            where = None
    if where is not None:
        found.append(f"a trace without an end ({where})")
    return found


def end_survivors(task_ids: set[str]) -> list[str]:
    """Ends processes that still carry the mark of one of these tasks, and says which there were."""
    import psutil

    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            task = process.environ().get("HEAPTUI_TASK_ID")
            if task in task_ids and process.status() != psutil.STATUS_ZOMBIE:
                found.append(f"pid {process.pid} ({process.name()}) of task {task}")
                process.kill()
    return found
