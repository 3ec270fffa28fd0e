"""The environment a task runs in: its submitter's, or a clean one, and heaptui's own marks."""

from __future__ import annotations

import re
from collections.abc import Mapping

from heaptui.errors import UsageError
from heaptui.model import TaskSpec
from heaptui.wire import CHECKPOINT_VARIABLE, RESULT_VARIABLE, SOCKET_VARIABLE

KEPT_WHEN_CLEAN = frozenset(
    ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TERM", "TZ", "TMPDIR")
)
"""And every LC_*."""

_NOT_IN_NAMES = re.compile(r"[=\x00-\x1f\x7f-\x9f]")
"""A name is shown wherever its task is: one that steers a terminal is nobody's honest wish."""

MARKER = "HEAPTUI_TASK"
"""`<task id>.<attempt>`: by it a process that left every group is still known as the attempt's."""

PRELOAD = "HEAPTUI_PRELOAD"
"""`off` where nothing is put into the task's processes."""

_OPERATORS_OWN = frozenset(("HEAPTUI_STATE", "HEAPTUI_CONFIG"))
"""Settings, not marks: a `heaptui` inside a task speaks to the same supervisor as outside."""


def task_environment(
    spec: TaskSpec,
    submitter: Mapping[str, str],
    task_id: str,
    attempt: int,
    *,
    socket: str = "",
    checkpoint: str = "",
    result: str = "",
    works: Mapping[str, str] = {},
    preload: bool = True,
) -> dict[str, str]:
    """The submitter's environment (with `clean_env` only what KEPT_WHEN_CLEAN names), the task's
    own variables over it, and the marks. Marks of a task that the submitter ran in are left out.

    `socket`, `checkpoint` and `result` are the paths that a worker is told (wire.py), empty: it is
    told none; `works` are the variables that say what it works through, by their names. `preload`:
    whether heaptui puts something into the task's processes.

    Raises:
        UsageError: a variable that no program can be given.
    """
    env = {
        key: value
        for key, value in submitter.items()
        if _inherited(key) and (not spec.clean_env or key in KEPT_WHEN_CLEAN or key[:3] == "LC_")
    }
    env |= spec.env
    env |= {
        MARKER: f"{task_id}.{attempt}",
        "HEAPTUI_TASK_ID": task_id,
        "HEAPTUI_TASK_NAME": spec.name,
        "HEAPTUI_ATTEMPT": str(attempt),
    }
    places = {SOCKET_VARIABLE: socket, CHECKPOINT_VARIABLE: checkpoint, RESULT_VARIABLE: result}
    env |= {key: path for key, path in places.items() if path}
    env |= works
    if not preload:
        env[PRELOAD] = "off"
    for key, value in env.items():
        if not key or _NOT_IN_NAMES.search(key) or "\0" in value:
            raise UsageError(
                f"{key[:40]!r} cannot be an environment variable's name, or holds a zero byte.",
                "Write --env NAME=VALUE.",
            )
    return env


def _inherited(key: str) -> bool:
    return not key.startswith("HEAPTUI_") or key in _OPERATORS_OWN
