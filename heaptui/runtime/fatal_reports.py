"""Node's report on its own death, on by default: it tells a heap's end from all other aborts, also
behind a wrapper that says nothing of it.

A report holds the environment: it goes into a private directory of the attempt, and is taken out of
it there (engine/node_reports.py). `--report-exclude-env`, which spares even that
moment, fails the start of a Node that does not know it (20.20: code 9), so it only stands where
the Node is known that reads it: on its own command line, never in what children inherit.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from pathlib import Path

from heaptui.runtime import v8
from heaptui.runtime.node_options import option_value, own_option

ON_FATAL, DIRECTORY, EXCLUDE_ENV = (
    "report-on-fatalerror",
    "report-directory",
    "report-exclude-env",
)
_OURS = re.compile(
    rf" *--{ON_FATAL}(?= |$)" + own_option(DIRECTORY, r"/tasks/[A-Za-z0-9_-]+/\d+\.reports")
)
_OF_REPORTS = re.compile(r"(no-)?(experimental-)?report(-.*)?")


def reported(
    env: dict[str, str], directory: str, options: Iterable[str], accepted: Collection[str] | None
) -> dict[str, str]:
    """`env` with NODE_OPTIONS that let every Node report its death into `directory` (empty: none
    is given). What a task around this one left there is taken out.

    A task that names a report flag of its own, there or in the `options` of its command line, has
    its way: nothing is added. `accepted` are the flags that its Node takes, None when it is not
    known which Node will run: every one since 12.17 takes these.
    """
    said = env.get("NODE_OPTIONS", "")
    others = _OURS.sub("", said).strip()
    words = [*v8.words_of(others), *options]
    flags: list[str] = []
    if directory and not speaks_of_reports(words) and _takes(accepted):
        flags = [f"--{ON_FATAL}", f"--{DIRECTORY}={option_value(Path(directory))}"]
    result = " ".join(filter(None, (others, *flags)))
    if result == said:
        return env
    if result:
        return env | {"NODE_OPTIONS": result}
    return {key: value for key, value in env.items() if key != "NODE_OPTIONS"}


def without_environment(env: dict[str, str], accepted: Collection[str]) -> list[str]:
    """The flag for the command line of a Node that reports and takes it."""
    reports = _OURS.search(env.get("NODE_OPTIONS", "")) is not None
    return [f"--{EXCLUDE_ENV}"] if reports and EXCLUDE_ENV in accepted else []


def speaks_of_reports(words: Iterable[str]) -> bool:
    """Whether a flag among these says anything about reports."""
    flags = (word for word in words if word.startswith("--"))
    return any(_OF_REPORTS.fullmatch(v8.flag_name(flag)) for flag in flags)


def _takes(accepted: Collection[str] | None) -> bool:
    return accepted is None or {ON_FATAL, DIRECTORY} <= set(accepted)
