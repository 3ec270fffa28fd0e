"""heaptui as an operator meets it: real commands on a state directory of the test's own."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from heaptui.memory.cgroups import probe
from heaptui.paths import StateDir

HEAPTUI = [sys.executable, "-m", "heaptui"]
DEADLINE_S = 30.0
_LOOKS, _BETWEEN_LOOKS_S = 2, 0.05
Row = dict[str, Any]


def wait_until(holds: Callable[[], Any], what: str, deadline_s: float = DEADLINE_S) -> Any:
    """Its first true value; fails loudly when there is none before the deadline."""
    until = time.monotonic() + deadline_s
    while not (value := holds()):
        assert time.monotonic() < until, f"in vain waited for: {what}"
        time.sleep(0.02)
    return value


def alive(pid: int) -> bool:
    """Whether it runs: a zombie has ended."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def end(pid: int) -> None:
    """kill -9, and waits until it is gone."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not alive(pid), f"the end of {pid}")


def marked() -> Counter[str]:
    """How many live processes carry each attempt's mark, by `task.attempt`."""
    found: Counter[str] = Counter()
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            mark = process.environ().get("HEAPTUI_TASK")
            if mark and process.status() != psutil.STATUS_ZOMBIE:
                found[mark] += 1
    return found


class Operated:
    """A state directory, its commands, and the processes behind it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.state = StateDir(root)
        self.config = root.with_name(f"{root.name}-config.toml")
        self.environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("HEAPTUI")},
            "HEAPTUI_STATE": str(root),
            "HEAPTUI_CONFIG": str(self.config),
        }

    def start(
        self, *argv: str, environment: Mapping[str, str] | None = None, **popen: Any
    ) -> subprocess.Popen[bytes]:
        """`heaptui ARGV...`, with pipes that the test reads."""
        given: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **popen}
        return subprocess.Popen(
            [*HEAPTUI, *argv],
            env={**self.environment, **(environment or {})},
            stdin=subprocess.DEVNULL,
            **given,
        )

    def __call__(
        self, *argv: str, environment: Mapping[str, str] | None = None, **popen: Any
    ) -> subprocess.CompletedProcess[str]:
        """`heaptui ARGV...` to its end."""
        process = self.start(*argv, environment=environment, **popen)
        out, words = process.communicate(timeout=60)
        return subprocess.CompletedProcess(
            argv, process.returncode, (out or b"").decode(), (words or b"").decode()
        )

    def told(self, *argv: str, **options: Any) -> Any:
        """What a command that must succeed prints as JSON."""
        done = self(*argv, "--json", **options)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def run(self, *command: str, **options: str) -> str:
        """`heaptui run`: the id."""
        given = [f"--{key.replace('_', '-')}={value}" for key, value in options.items()]
        done = self("run", *given, "--", *command)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def rows(self) -> dict[str, Row]:
        """Every task by its name."""
        return {row["name"]: row for row in self.told("ps", "--all")}

    def until(self, name: str, *states: str) -> Row:
        """The row of a task once it is in one of `states`."""

        def there() -> Row | None:
            row = self.rows().get(name)
            return row if row and row["state"] in states else None

        found: Row = wait_until(there, f"{name} to be {' or '.join(states)}")
        return found

    # --- the processes behind it ----------------------------------------------------------------
    def _processes(self, *words: str) -> list[int]:
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                line = process.cmdline()
                named = (str(self.root), *words)
                if process.status() != psutil.STATUS_ZOMBIE and all(
                    any(name in part for part in line) for name in named
                ):
                    found.append(process.pid)
        return found

    def supervisors(self) -> list[int]:
        """Processes of `heaptui serve`; the warden's own command line names it too."""
        wardens = self._processes("warden.sock")
        return [pid for pid in self._processes("serve") if pid not in wardens]

    def wardens(self) -> list[int]:
        return self._processes("heaptui/warden/")

    def supervisor(self) -> int:
        return int(wait_until(self.supervisors, "a supervisor")[0])

    def warden(self) -> int:
        return int(wait_until(self.wardens, "a warden")[0])

    def clean_up(self) -> None:
        """Ends every process of this state directory, by its pid, and gives back its cgroups."""
        # the warden first: it would bring up another supervisor; and looked for once more after
        # nobody was seen, for one between its fork and its exec has no command line yet
        unseen = 0
        while unseen < _LOOKS:
            pids = [*self.wardens(), *self.supervisors()]
            for pid in pids:
                end(pid)
            unseen = 0 if pids else unseen + 1
            time.sleep(_BETWEEN_LOOKS_S)
        for pid in self._workers():
            end(pid)
        groups = probe(hashlib.sha256(os.fsencode(self.root.resolve())).hexdigest()[:12])
        groups.sweep(set())
        groups.close()
        for name in ("supervisor", "warden"):
            path = self.state.socket(name)
            if path.parent != self.root:
                path.unlink(missing_ok=True)

    def _workers(self) -> list[int]:
        ids = set(os.listdir(self.root / "tasks")) if (self.root / "tasks").is_dir() else set()
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error, OSError):
                if process.environ().get("HEAPTUI_TASK_ID") in ids:
                    found.append(process.pid)
        return found


def _parent(pid: int) -> int | None:
    with suppress(psutil.Error):
        return psutil.Process(pid).ppid()
    return None


def said(done: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    """It ended with `code`, told all of `words` on stderr, and no traceback."""
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    assert "Traceback" not in done.stderr, done.stderr
    for word in words:
        assert word in done.stderr, (word, done.stderr)


def sleeping(n: int) -> Sequence[str]:
    """A command that lives for `n` seconds."""
    return ("sleep", str(n))
