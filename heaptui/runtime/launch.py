"""From what the operator asked for to what is executed: one function, `prepare`.

An RLIMIT_DATA, where one is set, counts what a runtime reserves, whether it is touched or not, and
every child inherits it. So the least limit named here is the runtime's reservation and the cap
together: the limit then stops one process about where the cap lies, and never a healthy start.
RLIMIT_AS is never set: V8 reserves address space by the terabyte.
"""

from __future__ import annotations

import sys
from pathlib import Path

from msgspec import Struct

from heaptui.errors import Refused, UsageError
from heaptui.model import Kind, TaskSpec
from heaptui.runtime import node, programs, v8
from heaptui.runtime.environment import task_environment
from heaptui.runtime.names import is_node, is_node_script, is_python_script
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
) -> Launch:
    """Resolves `spec` into what is executed.

    `environment` is the submitter's, `cap_bytes` the cap in force, given or default; `cache` the
    file where answers about runtimes are kept; `rlimited` says that an RLIMIT_DATA will be set.

    Raises:
        Refused: the program or the directory is not there, or a limit leaves no room to start.
        UsageError: limits that do not fit the kind or each other.
    """
    if not spec.argv or not spec.argv[0]:
        raise UsageError("There is no command.", "Write it after  --  .")
    if any("\0" in word for word in spec.argv):
        raise UsageError("The command holds a zero byte.", "No program can be given one.")
    cwd = programs.directory(spec.cwd)
    env = task_environment(spec, environment, task_id, attempt)
    _check_heap(spec, cap_bytes)
    match spec.kind:
        case Kind.NODE:
            return await _node(spec, env, cwd, cap_bytes, cache=cache, rlimited=rlimited)
        case Kind.PYTHON:
            return _python(spec, env, cwd, cap_bytes, rlimited=rlimited)
        case Kind.COMMAND:
            return _command(spec, env, cwd, cap_bytes, rlimited=rlimited)


def _command(
    spec: TaskSpec, env: dict[str, str], cwd: Path, cap_bytes: int | None, *, rlimited: bool
) -> Launch:
    _check_cap(cap_bytes, COMMAND_LEAST_CAP, "a command")
    program = programs.require(spec.argv[0], env, cwd)
    notes: tuple[str, ...] = ()
    if spec.limits.heap_bytes is not None:
        # alone: this is the one heap flag that every Node still in use takes here
        flag = f"--{v8.OLD}={spec.limits.heap_bytes // MIB}"
        env = _with_node_options(env, [flag])
        notes = (f"NODE_OPTIONS has {flag} for Node programs inside; their limit is 48-192M above",)
    return Launch(
        argv=(str(program), *spec.argv[1:]),
        env=env,
        data_floor_bytes=COMMAND_RESERVES + (cap_bytes or 0) if rlimited else None,
        heap_limit_bytes=None,
        notes=notes,
    )


def _python(
    spec: TaskSpec, env: dict[str, str], cwd: Path, cap_bytes: int | None, *, rlimited: bool
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
        env=PYTHON_DEFAULTS | env,
        data_floor_bytes=PYTHON_RESERVES + (cap_bytes or 0) if rlimited else None,
        heap_limit_bytes=None,
        notes=notes,
    )


async def _node(
    spec: TaskSpec,
    env: dict[str, str],
    cwd: Path,
    cap_bytes: int | None,
    *,
    cache: Path,
    rlimited: bool,
) -> Launch:
    _check_cap(cap_bytes, node.LEAST_CAP, "Node.js")
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
    told = await node.facts(binary, env=env, cwd=cwd, cache=cache, ask_data=rlimited)
    options = _leading_options(own) if ours else []
    flags, limit = _heap_flags(spec, env, options, cap_bytes, notes)
    in_env = [flag for flag in flags if _flag_name(flag) in told.options]
    rest = [flag for flag in flags if flag not in in_env]
    if rest and not ours:
        notes.append(
            f"Node {told.version} takes {' '.join(rest)} only on its command line: left out"
        )
        rest, limit = [], None
    need = told.data_need_bytes if rlimited else None
    return Launch(
        argv=(str(binary), *rest, *own) if ours else (str(program), *own),
        env=_with_node_options(env, in_env),
        data_floor_bytes=None if need is None else need + (cap_bytes or 0),
        heap_limit_bytes=limit,
        notes=tuple(notes),
    )


def _heap_flags(
    spec: TaskSpec, env: dict[str, str], options: list[str], cap_bytes: int | None, notes: list[str]
) -> tuple[list[str], int | None]:
    """The flags to add, and the limit that then holds in bytes (None: V8's own choice).

    --heap wins over NODE_OPTIONS, which a shell's profile may have set; without --heap whatever
    the operator named wins over what is derived from the cap.
    """
    given = spec.limits.heap_bytes
    written = v8.named(options)
    theirs = v8.named(v8.words_of(env.get("NODE_OPTIONS", ""))) | written
    if given is not None and set(written) - {v8.SEMI}:
        raise UsageError(
            "The heap limit is named twice: by --heap and by a flag of the command.",
            "Leave one of them out.",
        )
    if given is not None:
        wanted = v8.flags_for(given)
        if set(theirs) - set(written):
            notes.append("the heap flags in NODE_OPTIONS are overridden by --heap")
        semi_mb = written.get(v8.SEMI, wanted.semi_mb)
        old_mb = max(16, wanted.limit_bytes // MIB - 3 * semi_mb)
        result = [f"--{v8.OLD}={old_mb}", f"--{v8.SEMI}={semi_mb}"]
        limit = v8.HeapFlags(old_mb, semi_mb).limit_bytes
    elif set(theirs) & set(v8.OTHER_LIMITS):
        notes.append("the heap limit is the one that the task's own flags name")
        return [], None
    elif cap_bytes is None:
        return [], _limit_of(theirs)
    else:
        wanted = v8.flags_under(cap_bytes)
        ours = {v8.OLD: wanted.old_mb, v8.SEMI: wanted.semi_mb}
        result = [f"--{name}={value}" for name, value in ours.items() if name not in theirs]
        if theirs:
            kept = " ".join(f"--{name}={value}" for name, value in theirs.items())
            notes.append(f"the task's own {kept} is kept")
        limit = _limit_of(ours | theirs) or wanted.limit_bytes
    if cap_bytes is not None and limit > cap_bytes - v8.OUTSIDE_HEAP:
        notes.append(
            f"the heap limit of {size(limit)} leaves less than {size(v8.OUTSIDE_HEAP)} below the "
            f"cap of {size(cap_bytes)}: the kill may come before V8's own error"
        )
    return result, limit


def _limit_of(flags: dict[str, int]) -> int | None:
    if v8.OLD not in flags or v8.SEMI not in flags:
        return None
    return v8.HeapFlags(flags[v8.OLD], flags[v8.SEMI]).limit_bytes


def _check_heap(spec: TaskSpec, cap_bytes: int | None) -> None:
    heap = spec.limits.heap_bytes
    if heap is None:
        return
    if spec.kind is Kind.PYTHON:
        raise UsageError(
            "A heap limit is V8's: Python has none.", "Use --cap, which holds for any process."
        )
    if heap < v8.LEAST_LIMIT:
        raise Refused(
            f"A heap of {size(heap)} is less than V8 starts with.",
            f"Give at least --heap {size(v8.LEAST_LIMIT)}.",
        )
    if cap_bytes is not None and heap > cap_bytes:
        default = "" if spec.limits.cap_bytes else "default "
        raise Refused(
            f"A heap of {size(heap)} does not fit under the {default}cap of {size(cap_bytes)}.",
            f"Give --cap of at least {size(heap + v8.OUTSIDE_HEAP)}, or a smaller --heap.",
        )


def _check_cap(cap_bytes: int | None, least: int, who: str) -> None:
    if cap_bytes is not None and cap_bytes < least:
        raise Refused(
            f"A cap of {size(cap_bytes)} is less than {who} needs to start.",
            f"Give at least --cap {size(least)}.",
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


def _flag_name(flag: str) -> str:
    return flag.lstrip("-").partition("=")[0]


def _with_node_options(env: dict[str, str], flags: list[str]) -> dict[str, str]:
    """V8 lets the last of two equal flags win, so ours stand behind what is there."""
    if not flags:
        return env
    return env | {"NODE_OPTIONS": " ".join(filter(None, (env.get("NODE_OPTIONS"), *flags)))}
