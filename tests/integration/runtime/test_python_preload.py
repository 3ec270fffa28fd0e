"""Programs cannot tell that they run under the preload: output, errors, codes are the same."""

from __future__ import annotations

import re
import subprocess
import zipfile
from pathlib import Path

import pytest

from tests.integration.runtime.python_preload_stage import (
    Engine,
    engine,
    environment,
    interpreters,
    placed,
)

PYTHONS = interpreters()

PROGRAMS = {
    "argv and path": ["-c", "import sys; print(sys.argv, sys.path, sys.flags)", "a", "--b"],
    "modules": ["-c", "import sys; print(sorted(m for m in sys.modules if 'heaptui' in m))"],
    "exit code": ["-c", "import sys; sys.exit(7)"],
    "exit text": ["-c", "import sys; sys.exit('over')"],
    "traceback": ["-c", "def f(): raise ValueError('no')\nf()"],
    "syntax error": ["-c", "def"],
    "killed": ["-c", "import os, signal; os.kill(os.getpid(), signal.SIGTERM)"],
    "module": ["-m", "json.tool", "--help"],
    "no such module": ["-m", "no_such_module"],
    "isolated": ["-I", "-c", "import sys; print(sys.path)"],
    "without environment": ["-E", "-c", "import sys; print(sys.path)"],
    "without site": ["-S", "-c", "import sys; print('site' in sys.modules)"],
    "developer's mode": ["-X", "dev", "-c", "print(1)"],
    "warnings are errors": ["-W", "error", "-c", "import json, ctypes; print(1)"],
    "threads": [
        "-c",
        "import threading, sys; print(threading.enumerate(), threading.active_count())\n"
        "t = threading.Thread(target=lambda: print(threading.active_count())); t.start(); t.join()",
    ],
    "at exit": [
        "-c",
        "import atexit, threading\n"
        "atexit.register(print, 'first in'); atexit.register(print, 'last in')\n"
        "class A:\n def __del__(self): print('gone')\na = A()",
    ],
    "descriptors": ["-c", "import os; print(os.open('/dev/null', 0), os.open('/dev/null', 0))"],
    "closes all": [
        "-c",
        "import os, time\nos.closerange(3, 4096)\nf = open('/dev/null', 'w')\n"
        "time.sleep(1.5)\nprint(f.fileno())",
    ],
    "warnings' filters": [
        "-c",
        "import warnings; print(len(warnings.filters)); warnings.warn('x')",
    ],
    "fork": [
        "-W",
        "error",
        "-c",
        "import os\n"
        "for _ in range(3):\n"
        "  p = os.fork()\n"
        "  if not p: os._exit(3)\n"
        "  print(os.WEXITSTATUS(os.waitpid(p, 0)[1]))",
    ],
    "fork with a thread of its own": [
        "-W",
        "always",
        "-c",
        "import os, threading\n"
        "e = threading.Event(); t = threading.Thread(target=e.wait); t.start()\n"
        "p = os.fork()\n"
        "if not p: os._exit(0)\n"
        "os.waitpid(p, 0); e.set(); t.join()",
    ],
    "a preexec_fn": [
        "-W",
        "error::DeprecationWarning",
        "-c",
        "import subprocess, os\n"
        "print(subprocess.run(['echo', 'hi'], preexec_fn=os.setsid, capture_output=True))",
    ],
    "child Python": [
        "-c",
        "import subprocess, sys\n"
        "print(subprocess.run([sys.executable, '-c', 'import sys; print(sys.path[1:])'],"
        " capture_output=True, text=True).stdout)",
    ],
    "signals": [
        "-c",
        "import signal, os, threading\n"
        "name = lambda *a: print('alarm', threading.current_thread().name)\n"
        "signal.signal(signal.SIGALRM, name)\n"
        "signal.setitimer(signal.ITIMER_REAL, 0.2); signal.pause()\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])\n"
        "os.kill(os.getpid(), signal.SIGUSR1); print(signal.sigwait([signal.SIGUSR1]))",
    ],
    "waits for any child": [
        "-c",
        "import os, signal\n"
        "seen = []\nsignal.signal(signal.SIGCHLD, lambda *a: seen.append(1))\n"
        "try: os.wait()\nexcept ChildProcessError: print('none')\n"
        "p = os.fork()\nif not p: os._exit(0)\nprint(os.wait()[0] == p, len(seen))",
    ],
    "asyncio with a child": [
        "-c",
        "import asyncio, sys\n"
        "async def main():\n"
        " p = await asyncio.create_subprocess_exec(sys.executable, '-c', 'print(5)')\n"
        " return await p.wait()\n"
        "print(asyncio.run(main()))",
    ],
    "debug build of memory": ["-c", "import sys, gc; print(len(sys.argv), gc.isenabled())"],
}


@pytest.fixture
def listening(tmp_path: Path):  # type: ignore[no-untyped-def]
    with engine(tmp_path) as one:
        yield one


def _outcome(python: str, words: list[str], env: dict[str, str], cwd: Path) -> tuple[object, ...]:
    done = subprocess.run(
        [python, *words],
        env=env,
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        input="",
        timeout=60,
    )
    # addresses, and the numbers of processes and threads, differ from run to run
    return (
        done.returncode,
        _same(done.stdout),
        _same(done.stderr),
    )


def _same(text: str) -> str:
    return re.sub(r"0x[0-9a-f]+|\(pid=\d+\)|started \d+|\[pid \d+\]", "?", text)


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_is_as_it_is_without_the_hook(
    python: str, name: str, tmp_path: Path, listening: Engine
) -> None:
    without = _outcome(python, PROGRAMS[name], environment(tmp_path, hooked=False), tmp_path)
    assert _outcome(python, PROGRAMS[name], environment(tmp_path), tmp_path) == without


SCRIPT = "import sys\nprint(__name__, sys.argv, sys.path[0] == {here!r}, __file__)\n"


@pytest.mark.parametrize("python", PYTHONS)
def test_scripts_and_archives_are_as_they_are_without_the_hook(
    python: str, tmp_path: Path, listening: Engine
) -> None:
    script = tmp_path / "program.py"
    script.write_text(SCRIPT.format(here=str(tmp_path)))
    with zipfile.ZipFile(tmp_path / "program.pyz", "w") as archive:
        archive.writestr("__main__.py", "import sys; print(sys.argv, sys.path[0], __name__)")
    for words in ([str(script), "a"], [str(tmp_path / "program.pyz"), "b"], ["-i", str(script)]):
        without = _outcome(python, words, environment(tmp_path, hooked=False), tmp_path)
        assert without[0] == 0
        assert _outcome(python, words, environment(tmp_path), tmp_path) == without


METHODS = """
import multiprocessing, os, sys
def work(n):
    return n * n, [one for one in sys.modules if "heaptui" in one]
if __name__ == "__main__":
    for method in ("fork", "spawn", "forkserver"):
        with multiprocessing.get_context(method).Pool(2) as pool:
            print(method, pool.map(work, range(4)))
    print(multiprocessing.active_children())
"""


@pytest.mark.parametrize("python", PYTHONS)
def test_multiprocessing_is_as_it_is_without_the_hook(
    python: str, tmp_path: Path, listening: Engine
) -> None:
    script = tmp_path / "program.py"
    script.write_text(METHODS)
    words = ["-W", "error::DeprecationWarning:multiprocessing", str(script)]
    without = _outcome(python, words, environment(tmp_path, hooked=False), tmp_path)
    assert without[0] == 0
    assert _outcome(python, words, environment(tmp_path), tmp_path) == without


OWN = {
    "prints": "print('own hook', __name__, __file__[-16:])",
    "raises": "raise RuntimeError('own trouble')",
    "lacks something": "import no_such_thing",
    "is broken": "def",
}


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("own", OWN)
def test_the_programs_own_hook_runs_as_it_does_without_ours(
    python: str, own: str, tmp_path: Path, listening: Engine
) -> None:
    place = tmp_path / "own"
    place.mkdir()
    (place / "sitecustomize.py").write_text(OWN[own])
    code = "import sys; print('sitecustomize' in sys.modules, sys.path[:2])"
    found = [
        _outcome(
            python,
            ["-c", code],
            environment(tmp_path, hooked=hooked, PYTHONPATH=str(place)),
            tmp_path,
        )
        for hooked in (False, True)
    ]
    assert found[0] == found[1]
    assert ("own" in str(found[0])) or "no_such_thing" in str(found[0])


@pytest.mark.parametrize("python", PYTHONS)
def test_without_a_socket_or_a_task_nothing_is_begun(python: str, tmp_path: Path) -> None:
    for left in ("HEAPTUI_SOCKET", "HEAPTUI_TASK"):
        env = environment(tmp_path)
        del env[left]
        done = subprocess.run(
            [python, "-c", "import gc; print(gc.callbacks)"],
            env=env, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stdout, done.stderr) == (0, "[]\n", "")


@pytest.mark.parametrize("python", PYTHONS)
def test_a_socket_that_nobody_serves_is_no_trouble(python: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [python, "-c", "import time; time.sleep(1.2); print('well')"],
        env=environment(tmp_path), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "well\n", "")


def test_it_parses_everywhere_and_imports_nothing_of_heaptui(tmp_path: Path) -> None:
    for file in placed(tmp_path).glob("*.py"):
        text = file.read_text()
        compile(text, str(file), "exec", dont_inherit=True)
        assert not re.search(r"^\s*(import|from) heaptui", text, re.MULTILINE)
