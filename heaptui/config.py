"""What an operator can set once for all: one TOML file, read strictly.

Nothing is ignored: an unknown key, a figure of the wrong kind, a size that cannot be read are all
refused, with the file, the key and what it accepts.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from heaptui.errors import StorageTrouble, UsageError
from heaptui.units import parse_duration, parse_size

LEAST_CONCURRENCY = 4
"""Agents wait for a model more than they compute: even one core serves a few."""


class QueueConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """`concurrency`: how many tasks run at once; None: twice the cores, at least four."""

    concurrency: Annotated[int, Meta(ge=1, le=100_000)] | None = None

    def slots(self, cores: int | None = None) -> int:
        """How many tasks run at once on a machine with `cores` (None: this one)."""
        if self.concurrency is not None:
            return self.concurrency
        return max(LEAST_CONCURRENCY, 2 * (cores or os.cpu_count() or 1))


class LimitsConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """What a task gets that names no limits itself.

    `share` of the host's memory is divided by the concurrency for the default cap; `cap` replaces
    that by a fixed size. `grace` lies between TERM and kill; `output` is kept of each attempt.
    """

    share: Annotated[float, Meta(gt=0, le=1)] = 0.8
    cap: str | None = None
    grace: str = "10s"
    output: str = "64M"

    @property
    def cap_bytes(self) -> int | None:
        return None if self.cap is None else parse_size(self.cap, "limits.cap")

    @property
    def grace_s(self) -> float:
        return parse_duration(self.grace, "limits.grace")

    @property
    def output_bytes(self) -> int:
        return parse_size(self.output, "limits.output")


class RetryConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """`retries` of a task that failed by itself; the wait doubles from `backoff` to
    `backoff_max`."""

    retries: Annotated[int, Meta(ge=0, le=1000)] = 0
    backoff: str = "2s"
    backoff_max: str = "5m"

    @property
    def backoff_s(self) -> float:
        return parse_duration(self.backoff, "retry.backoff")

    @property
    def backoff_max_s(self) -> float:
        return parse_duration(self.backoff_max, "retry.backoff_max")


class HistoryConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """Ended tasks are forgotten after `keep_days`, and the oldest beyond `keep_tasks`."""

    keep_days: Annotated[float, Meta(gt=0)] = 30
    keep_tasks: Annotated[int, Meta(ge=1)] = 20_000


class HeapConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """Looking into heaps. `preload`: Node and Python tasks report theirs. `raise_cap`: whether the
    cap of a task may be raised while a snapshot is written that does not fit under it. `directory`
    takes the snapshots (None: in the state directory), of which the latest `keep_snapshots` stay,
    `keep` of them together at most."""

    preload: bool = True
    raise_cap: Literal["ask", "always", "never"] = "ask"
    directory: str | None = None
    keep_snapshots: Annotated[int, Meta(ge=1, le=100_000)] = 20
    keep: str = "10G"

    @property
    def keep_bytes(self) -> int:
        return parse_size(self.keep, "heap.keep")


class AppConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """`theme`: auto (by the terminal), dark, light, ansi or a file; `ascii`: no glyphs beyond
    ASCII; `keys`: binding id
    to key."""

    theme: str = "auto"
    ascii: bool = False
    keys: dict[str, str] = {}


class Config(Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that can be set; the defaults are what an absent file means."""

    queue: QueueConfig = QueueConfig()
    limits: LimitsConfig = LimitsConfig()
    retry: RetryConfig = RetryConfig()
    history: HistoryConfig = HistoryConfig()
    heap: HeapConfig = HeapConfig()
    app: AppConfig = AppConfig()


EXAMPLE = """\
# heaptui's configuration. Every line that is commented out shows the default.

[queue]
# How many tasks run at once. Default: twice the cores, at least 4.
# concurrency = 8

[limits]
# A task without a cap of its own gets this share of the host's memory, divided by concurrency.
# share = 0.8
# ... or a fixed size for every such task: 300M, 2G.
# cap = "2G"
# Between TERM and kill: 45s, 2m.
# grace = "10s"
# Kept of each attempt's output; the oldest is given back.
# output = "64M"

[retry]
# How often a task that failed by itself is tried again.
# retries = 0
# The first wait before another attempt; it doubles up to backoff_max.
# backoff = "2s"
# backoff_max = "5m"

[history]
# Ended tasks are kept this long, and at most so many.
# keep_days = 30
# keep_tasks = 20000

[heap]
# Node and Python tasks report their heaps, and can collect and snapshot them.
# preload = true
# A heap snapshot that does not fit under its task's cap: ask, always or never raise the cap while
# it is written.
# raise_cap = "ask"
# Where snapshots go; they may hold secrets. Default: snapshots/ in the state directory.
# directory = "/var/tmp/heaps"
# The latest are kept, and together not more than this.
# keep_snapshots = 20
# keep = "10G"

[app]
# auto (by the terminal), dark, light, ansi, or the path of a theme file.
# theme = "auto"
# Nothing beyond ASCII on the screen.
# ascii = false

[app.keys]
# An action's id, as ctrl+p shows it, and the keys it shall have.
# "task.stop" = "K,f9"
"""

_FORMS = {
    "queue.concurrency": "a whole number of tasks, 1 or more",
    "limits.share": "a fraction of the host's memory, above 0 and at most 1: 0.8",
    "limits.cap": 'a size in quotes: "300M", "2G"',
    "limits.grace": 'a duration in quotes: "10s", "2m"',
    "limits.output": 'a size in quotes: "64M"',
    "retry.retries": "a whole number, 0 to 1000",
    "retry.backoff": 'a duration in quotes: "2s"',
    "retry.backoff_max": 'a duration in quotes: "5m"',
    "history.keep_days": "a number of days above 0",
    "history.keep_tasks": "a whole number of tasks, 1 or more",
    "heap.preload": "true or false",
    "heap.raise_cap": '"ask", "always" or "never"',
    "heap.directory": 'an absolute path in quotes: "/var/tmp/heaps"',
    "heap.keep_snapshots": "a whole number of snapshots, 1 or more",
    "heap.keep": 'a size in quotes: "10G"',
    "app.theme": 'a name or a path in quotes: "dark"',
    "app.ascii": "true or false",
    "app.keys": 'a table of binding ids and keys: "task.stop" = "ctrl+k"',
}

_PATH_IN_MESSAGE = re.compile(r" - at `(?:key in )?\$\.?(.*?)`$")


def load(path: Path) -> Config:
    """The configuration in `path`; all defaults when there is no such file.

    Raises:
        UsageError: not TOML, an unknown key, or a value that cannot be understood.
        StorageTrouble: the file exists and cannot be read.
    """
    try:
        text = path.read_bytes().decode()
    except FileNotFoundError:
        return Config()
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8 text.", "Save it as UTF-8.") from error
    except OSError as error:
        raise StorageTrouble(
            f"{path} cannot be read: {error.strerror}.",
            "Mend its permissions, or name another file with HEAPTUI_CONFIG.",
        ) from error
    return parse(text, str(path))


def parse(text: str, source: str) -> Config:
    """`load` of a text; `source` is what the messages call it."""
    table = parse_toml(text, source)
    _check_names(table, source)
    try:
        config = msgspec.convert(table, Config, strict=True)
    except msgspec.ValidationError as error:
        found = _PATH_IN_MESSAGE.search(str(error))
        key = _known_part(found[1] if found else "")
        says = _PATH_IN_MESSAGE.sub("", str(error)).replace("`", "")
        raise UsageError(f"{source}, {key}: {says}.", f"It takes {_form(key)}.") from error
    _check_texts(config, source)
    return config


def parse_toml(text: str, source: str) -> dict[str, Any]:
    """The table that `text` holds.

    Raises:
        UsageError: not TOML; the message has the line and the column.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(
            f"{source} is not valid TOML: {error}.", "Mend the line that it names."
        ) from error


def unknown_key(where: str, key: str, valid: Iterable[str]) -> UsageError:
    """The error for a key that nobody reads, with the nearest one that is read."""
    names = sorted(valid)
    near = difflib.get_close_matches(key, names, n=1, cutoff=0.5)
    remedy = f"Did you mean {near[0]!r}? " if near else ""
    return UsageError(f"{where}: unknown key {key[:40]!r}.", f"{remedy}Known: {', '.join(names)}.")


def _check_names(table: dict[str, Any], source: str) -> None:
    sections = {field.name: field.type for field in msgspec.structs.fields(Config)}
    for section, values in table.items():
        if section not in sections:
            raise unknown_key(source, section, sections)
        if not isinstance(values, dict):
            raise UsageError(
                f"{source}: {section} is a section, not a value.", f"Write [{section}] on a line."
            )
        keys = [field.name for field in msgspec.structs.fields(sections[section])]
        for key in values:
            if key not in keys:
                raise unknown_key(f"{source}, [{section}]", key, keys)


def _check_texts(config: Config, source: str) -> None:
    readers: tuple[Callable[[], object], ...] = (
        lambda: config.limits.cap_bytes,
        lambda: config.limits.grace_s,
        lambda: config.limits.output_bytes,
        lambda: config.retry.backoff_s,
        lambda: config.retry.backoff_max_s,
        lambda: config.heap.keep_bytes,
    )
    for read in readers:
        try:
            read()
        except UsageError as error:
            raise UsageError(f"{source}: {error.what}", error.remedy) from error
    if config.retry.backoff_max_s < config.retry.backoff_s:
        raise UsageError(
            f"{source}: retry.backoff_max {config.retry.backoff_max} is shorter than "
            f"retry.backoff {config.retry.backoff}.",
            "Raise the one or lower the other.",
        )
    directory = config.heap.directory
    if directory is not None and not directory.startswith("/"):
        raise UsageError(
            f"{source}, heap.directory: {directory[:80]!r} is not an absolute path.",
            f"It takes {_form('heap.directory')}.",
        )


def _known_part(path: str) -> str:
    return next(
        (key for key in _FORMS if path == key or path.startswith((key + ".", key + "["))), path
    )


def _form(key: str) -> str:
    return _FORMS.get(key, "what `heaptui config` shows")
