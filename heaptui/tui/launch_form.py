"""The launch dialog's fields: what each may hold, and the tasks they describe."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import TypeVar

import msgspec

from heaptui.config.policy import parse_gc
from heaptui.errors import HeaptuiError, UsageError
from heaptui.model import Kind, TaskSpec
from heaptui.runtime import presets
from heaptui.runtime.launch import TRACEMALLOC_MAX
from heaptui.runtime.names import clean_name, infer_kind
from heaptui.runtime.naming_inputs import STANDARD_INPUT, Named
from heaptui.runtime.programs import directory
from heaptui.runtime.taskfile import COUNT_MAX, NOTHING_SAID, Fallback, repeated
from heaptui.units import parse_duration, parse_size

FIELDS = (
    "command",
    "name",
    "kind",
    "cap",
    "heap",
    "timeout",
    "inputs",
    "from",
    "tasks",
    "soft",
    "gc",
    "lost",
    "preset",
    "preload",
    "traced",
    "retries",
    "count",
    "priority",
    "cwd",
)
"""In the order of the dialog."""

REMEMBERED = tuple(name for name in FIELDS if name not in ("name", "count"))
"""Fields whose last value the next dialog begins with: a name belongs to one task."""

T = TypeVar("T")

_RETRIES_MAX = 1000
_PRIORITY_MAX = 1_000_000
_NAMING = ("inputs", "from", "tasks")
"""Fields that each say what it works through."""


@dataclass(frozen=True, slots=True)
class Form:
    """What the fields say: `specs` when all is understood, else what is wrong, by field. `named` is
    what they work through: nobody has looked yet whether it is there."""

    specs: list[TaskSpec] = field(default_factory=list)
    wrong: dict[str, str] = field(default_factory=dict)
    named: Named = field(default_factory=Named)


def command_words(text: str) -> tuple[str, ...]:
    """The command line in words, as a shell quotes them. Nothing is expanded: no shell runs.

    Raises:
        UsageError: empty, or a quotation that does not end.
    """
    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        raise UsageError(
            f"{str(error).rstrip('.')}.",
            "A quotation does not end: close it, or put \\ before the quotation mark.",
        ) from error
    if not words:
        raise UsageError("There is no command.", "Write a program and its arguments.")
    if "\0" in text:
        raise UsageError("A command holds no NUL character.")
    return words


def read_form(values: Mapping[str, str], here: str, fallback: Fallback = NOTHING_SAID) -> Form:
    """Understands the fields; a relative directory starts from `here`. A field that is blank, and
    what no field asks for, is as in `fallback`."""
    wrong: dict[str, str] = {}
    argv = _command(values, wrong)
    kind = _read(values, wrong, "kind", _kind, infer_kind(argv))
    default = fallback.limits
    limits = msgspec.structs.replace(
        default,
        cap_bytes=_read(values, wrong, "cap", _size, default.cap_bytes),
        soft_bytes=_read(values, wrong, "soft", _size, default.soft_bytes),
        heap_bytes=_read(values, wrong, "heap", _size, default.heap_bytes),
        timeout_s=_read(values, wrong, "timeout", _seconds, default.timeout_s),
    )
    if limits.soft_bytes is not None and limits.soft_bytes >= (limits.cap_bytes or inf):
        wrong["soft"] = "Write less than the cap: there is where heaptui begins to act."
    retry_lost = _read(values, wrong, "lost", _retry_or_ask, False)
    gc = _read(values, wrong, "gc", _gc, None)
    retries = _read(values, wrong, "retries", _whole(0, _RETRIES_MAX), fallback.retries)
    count = _read(values, wrong, "count", _whole(1, COUNT_MAX), 1)
    priority = _read(values, wrong, "priority", _whole(-_PRIORITY_MAX, _PRIORITY_MAX), 0)
    cwd = _read(values, wrong, "cwd", lambda text: _directory(text, here), here)
    preset = _read(values, wrong, "preset", _preset, "")
    preload = _read(values, wrong, "preload", _yes_or_no, True)
    traced = _read(values, wrong, "traced", _whole(0, TRACEMALLOC_MAX), 0)
    named = _named(values, wrong)
    if named != Named() and count > 1:
        wrong["count"] = "Each of them would work through the same: leave it at 1, and split it."
    if wrong:
        return Form(wrong=wrong)
    spec = TaskSpec(
        argv=argv,
        cwd=cwd,
        name=clean_name(values.get("name", ""), argv),
        kind=kind,
        limits=limits,
        retries=retries,
        priority=priority,
        preset=preset,
        preload=preload,
        tracemalloc=traced,
        retry_lost=retry_lost,
        gc=gc,
    )
    return Form(specs=repeated(spec, count), named=named)


def _named(values: Mapping[str, str], wrong: dict[str, str]) -> Named:
    named = Named(
        inputs=_read(values, wrong, "inputs", _patterns, ()),
        inputs_from=_read(values, wrong, "from", _list_path, None),
        task_file=_read(values, wrong, "tasks", _path, None),
    )
    given = [name for name in _NAMING if values.get(name, "").strip()]
    for name in given[1:]:
        wrong[name] = f"Keep one: {given[0]} says already what it works through."
    return named


def _command(values: Mapping[str, str], wrong: dict[str, str]) -> tuple[str, ...]:
    try:
        return command_words(values.get("command", ""))
    except UsageError as error:
        wrong["command"] = _advice(error)
        return ()


def _read(
    values: Mapping[str, str],
    wrong: dict[str, str],
    name: str,
    parse: Callable[[str], T],
    default: T,
) -> T:
    """The field's value, its default where it is blank; what is wrong with it goes to `wrong`."""
    text = values.get(name, "").strip()
    if not text:
        return default
    try:
        return parse(text)
    except HeaptuiError as error:
        wrong[name] = _advice(error)
        return default


def _advice(error: HeaptuiError) -> str:
    """What a field's one line has room for: what it accepts, else what is wrong. The value itself
    stands in the field above."""
    return error.remedy or error.what


def _kind(text: str) -> Kind:
    fitting = [kind for kind in Kind if kind.value.startswith(text.lower())]
    if len(fitting) != 1:
        raise UsageError(f"There is no kind {text[:20]!r}.", f"Write one of {', '.join(Kind)}.")
    return fitting[0]


def _preset(text: str) -> str:
    """A preset's name, or the beginning of only one; `none` is none."""
    name = text.lower()
    if name in ("none", "-"):
        return ""
    names = [preset.name for preset in presets.every()]
    fitting = [each for each in names if each.startswith(name)]
    return presets.find(fitting[0] if len(fitting) == 1 else name).name


def _yes_or_no(text: str) -> bool:
    for answer, word in ((True, "yes"), (False, "no")):
        if word.startswith(text.lower()):
            return answer
    raise UsageError(f"{text[:20]!r} is neither.", "Write yes or no.")


def _retry_or_ask(text: str) -> bool:
    for answer, word in ((True, "retry"), (False, "ask")):
        if word.startswith(text.lower()):
            return answer
    raise UsageError(f"{text[:20]!r} is neither.", "Write retry or ask.")


def _gc(text: str) -> str | None:
    parse_gc(text)
    return text


def _size(text: str) -> int | None:
    return parse_size(text)


def _seconds(text: str) -> float | None:
    return parse_duration(text)


def _patterns(text: str) -> tuple[str, ...]:
    return command_words(text)


def _path(text: str) -> str | None:
    return text


def _list_path(text: str) -> str | None:
    if text == STANDARD_INPUT:
        raise UsageError("A dialog has no standard input.", "Write the path of a file.")
    return text


def _whole(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if not least <= number <= most:
            raise UsageError(
                f"{text[:20]!r} does not fit.", f"Write a whole number from {least} to {most}."
            )
        return number

    return parse


def _directory(text: str, here: str) -> str:
    return str(directory(str(Path(here) / Path(text).expanduser())))
