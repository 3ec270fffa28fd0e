"""Tasks written down in a TOML file, for `heaptui run -f`.

    [defaults]              # for every task below that does not say otherwise
    cap = "600M"

    [[task]]
    name = "summarise"
    command = "python agent.py --verbose"   # split as a shell would, or a list of strings
    timeout = "20m"
    cwd = "work"            # relative to this file
    env = { MODEL = "small" }
    count = 3               # summarise/1, summarise/2, summarise/3

    [[task]]
    command = ["python", "review.py", "{items}"]
    inputs = ["src/**/*.py"]    # from the task's cwd on; or inputs-from, or task-file

Keys: name, kind, command, cap, soft, heap, preset, timeout, grace, output, retries, retry-lost, gc,
priority, cwd, env, clean-env, preload, tracemalloc, count, inputs, inputs-from, task-file. Nothing
is ignored: each error names the task and the key.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from heaptui.config import Config, parse_toml, unknown_key
from heaptui.config.policy import parse_gc
from heaptui.errors import UsageError
from heaptui.inputs import Inputs
from heaptui.model import Kind, Limits, TaskSpec
from heaptui.runtime import naming_inputs
from heaptui.runtime.launch import TRACEMALLOC_MAX
from heaptui.runtime.names import clean_name, infer_kind
from heaptui.units import parse_duration, parse_size

COUNT_MAX = 10_000
_NAMING = ("inputs", "inputs-from", "task-file")
_ONLY_OF_A_TASK = frozenset(("name", "command", *_NAMING))


class Fallback(Struct, frozen=True):
    """What a task gets that says nothing about it."""

    limits: Limits = Limits()
    retries: int = 0


NOTHING_SAID = Fallback()


class Described(NamedTuple):
    """Tasks, and beside each what it works through."""

    specs: list[TaskSpec]
    inputs: list[Inputs | None]


def fallback_of(config: Config) -> Fallback:
    """What the operator's configuration says for every task."""
    limits = Limits(grace_s=config.limits.grace_s, output_bytes=config.limits.output_bytes)
    return Fallback(limits, config.retry.retries)


def tasks_from_toml(
    text: str, base: Path, source: str = "the task file", fallback: Fallback = NOTHING_SAID
) -> Described:
    """The tasks that `text` describes, in its order, each as often as its count says. `base` is
    the directory that relative ones start from. What they work through is looked up now.

    Raises:
        UsageError: not TOML, no task, an unknown key, or a value that cannot be understood.
    """
    table = parse_toml(text, source)
    for key in table:
        if key not in {"defaults", "task"}:
            raise unknown_key(source, key, ("defaults", "task"))
    defaults = table.get("defaults", {})
    if not isinstance(defaults, dict):
        raise UsageError(f"{source}: defaults is a section.", "Write [defaults] on a line.")
    common = _read(defaults, f"{source}, [defaults]", set(_READERS) - _ONLY_OF_A_TASK)
    tables = table.get("task", [])
    if not isinstance(tables, list) or not all(isinstance(one, dict) for one in tables):
        raise UsageError(
            f"{source}: a task is a table.", "Write [[task]] on a line above its keys."
        )
    if not tables:
        raise UsageError(f"{source} holds no task.", "Write [[task]], and below it command = ….")
    described = Described([], [])
    for number, one in enumerate(tables, 1):
        where = f"{source}, {_title(one, number)}"
        specs, inputs = _tasks(one, common, base, where, fallback)
        described.specs.extend(specs)
        described.inputs.extend(inputs)
    return described


def repeated(spec: TaskSpec, count: int) -> list[TaskSpec]:
    """`spec` itself, or `count` of it, whose names end in /1, /2 and so on."""
    if count == 1:
        return [spec]
    return [
        msgspec.structs.replace(spec, name=_numbered(spec.name, number))
        for number in range(1, count + 1)
    ]


def _numbered(name: str, number: int) -> str:
    ending = f"/{number}"
    return clean_name(name)[: 80 - len(ending)] + ending


def _tasks(
    table: dict[str, Any], common: dict[str, Any], base: Path, where: str, fallback: Fallback
) -> Described:
    own = _read(table, where, set(_READERS))
    values = {**common, **own, "env": {**common.get("env", {}), **own.get("env", {})}}
    if "command" not in values:
        raise UsageError(f"{where}: there is no command.", 'Write command = "PROGRAM ARGUMENT …".')
    argv = values["command"]
    limits = {
        field: values[key]
        for key, field in (
            ("cap", "cap_bytes"),
            ("soft", "soft_bytes"),
            ("heap", "heap_bytes"),
            ("timeout", "timeout_s"),
            ("grace", "grace_s"),
            ("output", "output_bytes"),
        )
        if key in values
    }
    spec = TaskSpec(
        argv=argv,
        cwd=str((base / values.get("cwd", ".")).absolute()),
        name=clean_name(values.get("name", ""), argv),
        kind=values.get("kind") or infer_kind(argv),
        limits=msgspec.structs.replace(fallback.limits, **limits),
        priority=values.get("priority", 0),
        retries=values.get("retries", fallback.retries),
        env=values["env"],
        clean_env=values.get("clean-env", False),
        preset=values.get("preset", ""),
        preload=values.get("preload", True),
        tracemalloc=values.get("tracemalloc", 0),
        retry_lost=values.get("retry-lost", False),
        gc=values.get("gc"),
    )
    count = values.get("count", 1)
    named = naming_inputs.Named(
        **{key.replace("-", "_"): values[key] for key in _NAMING if key in values}
    )
    cwd = Path(spec.cwd)
    inputs = naming_inputs.read(named, cwd=cwd, base=base, count=count, where=f"{where}: ")
    return Described(repeated(spec, count), [inputs] * count)


def _title(table: dict[str, Any], number: int) -> str:
    name = table.get("name")
    return f"task {number} ({clean_name(name)!r})" if isinstance(name, str) else f"task {number}"


def _read(table: dict[str, Any], where: str, allowed: set[str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key not in allowed:
            raise unknown_key(where, key, allowed)
        values[key] = _READERS[key](value, f"{where}, {key}")
    return values


def _wrong(where: str, value: object, form: str) -> UsageError:
    return UsageError(f"{where}: {str(value)[:40]!r} cannot be used.", f"Write {form}.")


def _text(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise _wrong(where, value, "text in quotes")
    return value


def _flag(value: object, where: str) -> bool:
    if not isinstance(value, bool):
        raise _wrong(where, value, "true or false")
    return value


def _integer(least: int, most: int) -> Callable[[object, str], int]:
    def read(value: object, where: str) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise _wrong(where, value, f"a whole number from {least} to {most}")
        return value

    return read


def _size(value: object, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise _wrong(where, value, 'a size: "300M", "2G", or a number of bytes')
    return parse_size(str(value), f"{where}:")


def _seconds(value: object, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise _wrong(where, value, 'a duration: "20m", "1h30m", or a number of seconds')
    return parse_duration(str(value), f"{where}:")


def _gc(value: object, where: str) -> str:
    text = _text(value, where)
    parse_gc(text, where)
    return text


def _kind(value: object, where: str) -> Kind:
    try:
        return Kind(_text(value, where))
    except ValueError as error:
        raise _wrong(where, value, f"one of {', '.join(Kind)}") from error


def _argv(value: object, where: str) -> tuple[str, ...]:
    form = 'a line, "PROGRAM ARGUMENT …", or a list of strings'
    if isinstance(value, str):
        try:
            words = shlex.split(value)
        except ValueError as error:  # a quotation that nothing closes
            raise UsageError(f"{where}: {error}.", f"Write {form}.") from error
    elif isinstance(value, list) and all(isinstance(word, str) for word in value):
        words = value
    else:
        raise _wrong(where, value, form)
    if not words or not words[0]:
        raise _wrong(where, value, form)
    return tuple(words)


def _patterns(value: object, where: str) -> tuple[str, ...]:
    words = [value] if isinstance(value, str) else value
    if not isinstance(words, list) or not words or not all(isinstance(one, str) for one in words):
        raise _wrong(where, value, 'a list of paths and patterns: ["src/**/*.py"]')
    return tuple(words)


def _path(value: object, where: str) -> str:
    if not _text(value, where):
        raise _wrong(where, value, "the path of a file in quotes")
    if value == naming_inputs.STANDARD_INPUT:
        raise _wrong(where, value, "the path of a file: only a command line has a standard input")
    return str(value)


def _env(value: object, where: str) -> dict[str, str]:
    if not isinstance(value, dict):
        raise _wrong(where, value, 'a table: { NAME = "value" }')
    for name, text in value.items():
        if not isinstance(text, str):
            raise _wrong(f"{where}.{name}", text, "text in quotes")
    return value


_READERS: dict[str, Callable[[object, str], Any]] = {
    "name": _text,
    "kind": _kind,
    "command": _argv,
    "cap": _size,
    "soft": _size,
    "heap": _size,
    "preset": _text,
    "timeout": _seconds,
    "grace": _seconds,
    "output": _size,
    "retries": _integer(0, 1000),
    "retry-lost": _flag,
    "gc": _gc,
    "priority": _integer(-1000, 1000),
    "cwd": _text,
    "env": _env,
    "clean-env": _flag,
    "preload": _flag,
    "tracemalloc": _integer(0, TRACEMALLOC_MAX),
    "count": _integer(1, COUNT_MAX),
    "inputs": _patterns,
    "inputs-from": _path,
    "task-file": _path,
}
