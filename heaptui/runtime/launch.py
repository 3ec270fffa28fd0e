"""From what the operator asked for to what is executed: one function, `prepare`.

An RLIMIT_DATA, where one is set, counts what a runtime reserves, whether it is touched or not, and
every child inherits it. So the least limit named here is the runtime's reservation and the cap
together: the limit then stops one process about where the cap lies, and never a healthy start.
RLIMIT_AS is never set: V8 reserves address space by the terabyte.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct

from heaptui.errors import Refused, UsageError
from heaptui.model import Kind, TaskSpec
from heaptui.runtime import fatal_reports, heap_limits, node, presets, programs, v8
from heaptui.runtime.environment import task_environment
from heaptui.runtime.names import is_node, is_node_script, is_python_script
from heaptui.runtime.preload.place import Preload
from heaptui.runtime.preload.place import environment as preload_environment
from heaptui.runtime.presets import Preset
from heaptui.units import MIB, size

PYTHON_LEAST_CAP = 16 * MIB
"""A bare CPython holds 9-12M resident."""

COMMAND_LEAST_CAP = 4 * MIB
"""A shell needs 2M."""

PYTHON_RESERVES = 64 * MIB
"""CPython starts with 4M; the rest is for thread stacks of 8M each, reserved whole."""

COMMAND_RESERVES = 640 * MIB
"""What a command starts is not known, and its children inherit the limit: enough for the runtime
with the largest reservation that was measured (Node 24.19: 571M)."""

INSIDE_RESERVES = 544 * MIB
"""The preload's thread has a heap of its own, and V8 reserves for it as for the first: Node 24 then
starts with 1095M instead of 562M."""

TRACEMALLOC_MAX = 100
"""Frames of each allocation; every one costs memory and time."""

PYTHON_DEFAULTS = {
    "PYTHONUNBUFFERED": "1",  # output is seen when it is written, and not lost with a kill
    "PYTHONFAULTHANDLER": "1",  # a crash leaves the Python stack in the output
    "MALLOC_ARENA_MAX": "1",  # with an arena for each thread freed memory is not given back
}


class Launch(Struct, frozen=True, kw_only=True):
    """What is executed. `env` is complete. `data_floor_bytes`: no RLIMIT_DATA below it (None: none
    at all). `heap_limit_bytes`: V8's limit where it is known. `notes`: what an operator should know
    about how the limits were put."""

    argv: tuple[str, ...]
    env: dict[str, str]
    data_floor_bytes: int | None
    heap_limit_bytes: int | None
    notes: tuple[str, ...]


async def prepare(
    spec: TaskSpec,
    *,
    task_id: str,
    attempt: int,
    environment: dict[str, str],
    cap_bytes: int | None,
    cache: Path,
    rlimited: bool,
    preload: Preload | None = None,
    socket: str = "",
    checkpoint: str = "",
    result: str = "",
    reports: str = "",
    works: Mapping[str, str] = {},
    own_presets: Path | None = None,
) -> Launch:
    """Resolves `spec` into what is executed.

    `environment` is the submitter's, `cap_bytes` the cap in force, given or default; `cache` the
    file where answers about runtimes are kept; `rlimited` says that an RLIMIT_DATA will be set.
    `preload` is what looks into heaps from inside (None: nothing does) and speaks at `socket`, as
    a worker may (wire.py), which is told the files `checkpoint` and `result` too; `reports` the
    directory where Node puts reports on its own death (empty: it makes none); `works` the variables
    that say what it works through;
    `own_presets` the directory of the operator's own presets (None: beside the configuration).

    Raises:
        Refused: the program or the directory is not there, or a limit leaves no room to start.
        UsageError: limits that do not fit the kind or each other.
    """
    if not spec.argv or not spec.argv[0]:
        raise UsageError("There is no command.", "Write it after  --  .")
    if any("\0" in word for word in spec.argv):
        raise UsageError("The command holds a zero byte.", "No program can be given one.")
    if not 0 <= spec.tracemalloc <= TRACEMALLOC_MAX:
        raise UsageError(
            f"{spec.tracemalloc} frames of each allocation cannot be remembered.",
            f"Give --tracemalloc 1 to {TRACEMALLOC_MAX}.",
        )
    cwd = programs.directory(spec.cwd)
    env = task_environment(
        spec,
        environment,
        task_id,
        attempt,
        socket=socket,
        checkpoint=checkpoint,
        result=result,
        works=works,
        preload=preload is not None and spec.preload,
    )
    preset = presets.find(spec.preset, own_presets) if spec.preset else None
    heap_limits.check(spec, preset, cap_bytes)
    inside = Inside(preload, socket, reports) if preload is not None and spec.preload else None
    match spec.kind:
        case Kind.NODE:
            return await _node(
                spec,
                preset,
                env,
                cwd,
                cap_bytes,
                cache=cache,
                rlimited=rlimited,
                inside=inside,
                reports=reports,
            )
        case Kind.PYTHON:
            return _python(spec, env, cwd, cap_bytes, rlimited=rlimited, inside=inside)
        case Kind.COMMAND:
            return _command(spec, preset, env, cwd, cap_bytes, rlimited=rlimited, inside=inside)


class Inside(NamedTuple):
    """What is put into a process to look at its heap, where that speaks, and where Node reports its
    death."""

    preload: Preload
    socket: str
    reports: str = ""


def _looked_into(
    env: dict[str, str], inside: Inside | None, node_version: str | None = None
) -> dict[str, str]:
    if inside is None:
        return env
    return preload_environment(env, inside.preload, inside.socket, node_version=node_version)


def _looked_into_unknown(env: dict[str, str], inside: Inside | None) -> dict[str, str]:
    """For what may start a Node of which nothing is known."""
    if inside is None:
        # whoever wants no preload wants NODE_OPTIONS left alone
        return fatal_reports.reported(env, "", (), None)
    return _looked_into(fatal_reports.reported(env, inside.reports, (), None), inside)


def _command(
    spec: TaskSpec,
    preset: Preset | None,
    env: dict[str, str],
    cwd: Path,
    cap_bytes: int | None,
    *,
    rlimited: bool,
    inside: Inside | None,
) -> Launch:
    _check_cap(cap_bytes, COMMAND_LEAST_CAP, "a command")
    program = programs.require(spec.argv[0], env, cwd)
    notes: list[str] = []
    wanted = heap_limits.asked_for(spec, preset)
    if wanted is not None and preset is not None:
        # both are taken here by every Node from 18 to 24
        flags = [f"--{v8.OLD}={wanted.old_mb}", f"--{v8.SEMI}={wanted.semi_mb}"]
        env = _with_node_options(env, flags)
        notes.append(f"NODE_OPTIONS has {' '.join(flags)} for Node programs inside")
        if preset.flags:
            left = " ".join(preset.flags)
            notes.append(f"{left} belongs on Node's own command line: left out of a command's")
    elif spec.limits.heap_bytes is not None:
        # alone: this is the one heap flag that every Node still in use takes here
        flag = f"--{v8.OLD}={spec.limits.heap_bytes // MIB}"
        env = _with_node_options(env, [flag])
        notes.append(
            f"NODE_OPTIONS has {flag} for Node programs inside; their limit is 48-192M above"
        )
    env = _looked_into_unknown(_traced(spec, env), inside)
    reserves = COMMAND_RESERVES + (INSIDE_RESERVES if inside is not None else 0)
    return Launch(
        argv=(str(program), *spec.argv[1:]),
        env=env,
        data_floor_bytes=reserves + (cap_bytes or 0) if rlimited else None,
        heap_limit_bytes=None,
        notes=tuple(notes),
    )


def _python(
    spec: TaskSpec,
    env: dict[str, str],
    cwd: Path,
    cap_bytes: int | None,
    *,
    rlimited: bool,
    inside: Inside | None,
) -> Launch:
    _check_cap(cap_bytes, PYTHON_LEAST_CAP, "Python")
    notes: tuple[str, ...] = ()
    if is_python_script(spec.argv[0]):
        interpreter = programs.find("python3", env, cwd)
        if interpreter is None:
            interpreter = Path(sys.executable)
            notes = (f"no python3 on the task's PATH: heaptui's own, {interpreter}",)
        argv = (str(interpreter), _script(spec.argv[0], cwd), *spec.argv[1:])
    else:
        argv = (str(programs.require(spec.argv[0], env, cwd)), *spec.argv[1:])
    return Launch(
        argv=argv,
        env=_looked_into_unknown(PYTHON_DEFAULTS | _traced(spec, env), inside),
        data_floor_bytes=PYTHON_RESERVES + (cap_bytes or 0) if rlimited else None,
        heap_limit_bytes=None,
        notes=notes,
    )


async def _node(
    spec: TaskSpec,
    preset: Preset | None,
    env: dict[str, str],
    cwd: Path,
    cap_bytes: int | None,
    *,
    cache: Path,
    rlimited: bool,
    inside: Inside | None,
    reports: str,
) -> Launch:
    if spec.tracemalloc:
        raise UsageError(
            "--tracemalloc follows Python's allocations: Node has none.",
            "Leave it out; a heap snapshot says what holds a Node program's memory.",
        )
    least = node.LEAST_CAP if inside is None else node.LEAST_CAP_INSIDE
    _check_cap(cap_bytes, least, "Node.js", smaller=inside is not None)
    own = spec.argv[1:]
    if is_node_script(spec.argv[0]):
        program, own = None, (_script(spec.argv[0], cwd), *own)
    elif spec.argv[0] == "node":
        program = None
    else:
        program = programs.require(spec.argv[0], env, cwd)
    ours = program is None or is_node(spec.argv[0])
    binary = program if program is not None and ours else node.locate(env, cwd)
    if binary is None:
        raise Refused(
            "There is no Node.js: no `node` on the task's PATH, and the wheel is not installed.",
            "Install Node.js, or heaptui with the extra that brings it: heaptui[node].",
        )
    notes: list[str] = []
    if program is None or not ours:
        env = _reachable(env, binary, cwd, notes)
    told = await node.facts(
        binary,
        env=env,
        cwd=cwd,
        cache=cache,
        ask_data=rlimited,
        thread=rlimited and inside is not None,
    )
    options = _leading_options(own) if ours else []

    def carries(flag: str) -> bool:
        return ours or v8.flag_name(flag) in told.accepted

    heap = heap_limits.choose(spec, preset, env, options, cap_bytes, carries)
    notes += heap.notes
    in_env = [flag for flag in heap.flags if v8.flag_name(flag) in told.accepted]
    rest = [flag for flag in heap.flags if flag not in in_env]
    limit = heap.limit_bytes
    if rest and not ours:
        notes.append(
            f"Node {told.version} takes {' '.join(rest)} only on its command line: left out"
        )
        rest, limit = [], None
    need = told.data_need_bytes if rlimited else None
    env = fatal_reports.reported(env, reports, options, told.accepted)
    env = _with_node_options(env, in_env)
    if ours:
        rest += fatal_reports.without_environment(env, told.accepted)
    return Launch(
        argv=(str(binary), *rest, *own) if ours else (str(program), *own),
        env=_looked_into(env, inside, told.version),
        data_floor_bytes=None if need is None else need + (cap_bytes or 0),
        heap_limit_bytes=limit,
        notes=tuple(notes),
    )


def _check_cap(cap_bytes: int | None, least: int, who: str, *, smaller: bool = False) -> None:
    """`smaller`: without the preload it would need less."""
    if cap_bytes is not None and cap_bytes < least:
        or_else = ", or --no-preload, with which it needs less" if smaller else ""
        raise Refused(
            f"A cap of {size(cap_bytes)} is less than {who} needs to start.",
            f"Give at least --cap {size(least)}{or_else}.",
        )


def _script(name: str, cwd: Path) -> str:
    path = cwd / name
    if not path.is_file():
        what = "is a directory" if path.is_dir() else "does not exist"
        raise Refused(f"The script {path} {what}.", "Check the path, or --cwd.")
    return str(path)


def _reachable(env: dict[str, str], binary: Path, cwd: Path, notes: list[str]) -> dict[str, str]:
    """With a PATH on which `binary` is found: its children, and scripts that begin with
    `#!/usr/bin/env node`, look there."""
    if programs.find("node", env, cwd) is not None:
        return env
    notes.append(f"no node on the task's PATH: {binary} and its directory at the PATH's end")
    return env | {"PATH": ":".join(filter(None, (env.get("PATH"), str(binary.parent))))}


def _leading_options(words: tuple[str, ...]) -> list[str]:
    """Node's own options: those before the script."""
    first = next((at for at, word in enumerate(words) if not word.startswith("-")), len(words))
    return list(words[:first])


def _with_node_options(env: dict[str, str], flags: list[str]) -> dict[str, str]:
    """V8 lets the last of two equal flags win, so ours stand behind what is there."""
    if not flags:
        return env
    return env | {"NODE_OPTIONS": " ".join(filter(None, (env.get("NODE_OPTIONS"), *flags)))}


def _traced(spec: TaskSpec, env: dict[str, str]) -> dict[str, str]:
    """With Python remembering so many frames of each allocation, where that was asked for."""
    return env | {"PYTHONTRACEMALLOC": str(spec.tracemalloc)} if spec.tracemalloc else env
