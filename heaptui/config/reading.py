"""Reading the configuration: one TOML file, strictly.

Nothing is ignored: an unknown key, a figure of the wrong kind, a size that cannot be read are all
refused, with the file, the key and what it accepts.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from heaptui import units
from heaptui.config.policy import KindPolicy
from heaptui.config.sections import Config
from heaptui.errors import StorageTrouble, UsageError
from heaptui.model import Kind

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
    "policy.mode": '"act" or "observe"',
    "policy.soft": 'a share of the cap in quotes, "80%", or "off"',
    "policy.ahead": 'a duration in quotes: "60s"',
    "policy.steps": 'a list of "gc", "checkpoint", "recycle", in this order',
    "policy.gc": '"off", "every 5m" or "at 70%"',
    "policy.drain": 'a duration in quotes: "30s"',
    "policy.recycle_anew": "true or false",
    "policy.retry_lost": "true or false",
    "policy.oom_retries": "a whole number, 0 to 10",
    "policy.oom_factor": "a number above 1 and at most 10: 1.5",
    "policy.oom_ceiling": 'a size in quotes: "12G"',
    "policy.split": '"propose", "auto" or "off"',
    "policy.restarts": "a whole number of bad ends, 1 or more",
    "policy.restart_period": 'a duration in quotes: "10m"',
    "policy.stable": 'a duration in quotes: "10m"',
    "policy.kinds": 'a table of policy keys for one kind: [policy.kinds.node], then soft = "70%"',
    "admission.budget": 'a size in quotes: "4G"',
    "admission.reserve": 'a share of the machine in quotes, "10%", or a size: "2G"',
    "admission.pressure": "a percentage of time, 0 to 100: 10",
    "admission.heavy": "a percentage of time, 0 to 100: 40",
    "admission.relieve": "true or false",
    "alerts.supervisor": 'a size in quotes: "1G"',
    "alerts.worker": 'a size in quotes: "4G"',
    "alerts.cap_within": 'a duration in quotes: "20m"',
    "alerts.swap": 'a share of the swap in quotes: "50%"',
    "alerts.pressure": "a percentage of time, 0 to 100: 20",
    "alerts.silent": 'a duration in quotes, "15m", or "off"',
    "alerts.bell": '"off", "bell" or "notify"',
    "alerts.hook": 'a list of words in quotes: ["/usr/local/bin/page-me"]',
    "split.budget": "a whole number of tokens, 1000 or more: 30000",
    "split.timeout": 'a duration in quotes: "20m"',
    "split.planner": 'a list of words in quotes: ["/usr/local/bin/plan-split"]',
    "split.planner_timeout": 'a duration in quotes: "60s"',
    "metrics.port": "a port on the loopback interface, 1024 to 65535",
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
    sections = _fields(Config)
    for section, values in table.items():
        if section not in sections:
            raise unknown_key(source, section, sections)
        if not isinstance(values, dict):
            raise UsageError(
                f"{source}: {section} is a section, not a value.", f"Write [{section}] on a line."
            )
        keys = _fields(sections[section])
        for key, value in values.items():
            if key not in keys:
                raise unknown_key(f"{source}, [{section}]", key, keys)
            if key == "kinds" and isinstance(value, dict):
                _check_kinds(value, f"{source}, [{section}.kinds")


def _check_kinds(kinds: dict[str, Any], where: str) -> None:
    names = _fields(KindPolicy)
    for kind, values in kinds.items():
        if kind not in set(Kind):
            raise unknown_key(f"{where}]", kind, Kind)
        if not isinstance(values, dict):
            raise UsageError(
                f"{where}.{kind} is a section, not a value.", f"Write [policy.kinds.{kind}]."
            )
        for key in values:
            if key not in names:
                raise unknown_key(f"{where}.{kind}]", key, names)


def _fields(of: type[Struct]) -> dict[str, Any]:
    return {field.name: field.type for field in msgspec.structs.fields(of)}


def _check_texts(config: Config, source: str) -> None:
    readers: tuple[Callable[[], object], ...] = (
        lambda: config.limits.cap_bytes,
        lambda: config.limits.grace_s,
        lambda: config.limits.output_bytes,
        lambda: config.retry.backoff_s,
        lambda: config.retry.backoff_max_s,
        lambda: config.heap.keep_bytes,
        *_texts_of_policy(config),
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


def _texts_of_policy(config: Config) -> tuple[Callable[[], object], ...]:
    policy, admission, alerts = config.policy, config.admission, config.alerts
    return (
        *(lambda kind=kind: policy.of(kind) for kind in Kind),
        lambda: policy.restart_period_s,
        lambda: policy.stable_s,
        lambda: admission.budget_bytes,
        lambda: admission.reserve_bytes(units.GIB),
        lambda: alerts.supervisor_bytes,
        lambda: alerts.worker_bytes,
        lambda: alerts.cap_within_s,
        lambda: alerts.swap_share,
        lambda: alerts.silent_s,
        alerts.check,
    )


def _known_part(path: str) -> str:
    return next(
        (key for key in _FORMS if path == key or path.startswith((key + ".", key + "["))), path
    )


def _form(key: str) -> str:
    return _FORMS.get(key, "what `heaptui config` shows")
