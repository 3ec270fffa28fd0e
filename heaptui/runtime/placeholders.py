"""What a command leaves open, to be filled for each attempt with what is left to do.

`{items}` and `{results}`, each an argument of its own, become as many arguments as there are items,
or files of results. `{slice}`, `{task_file}` and `{handover}`, anywhere in an argument, become the
path of a file. What has no meaning for a task stays as it was written: braces are other programs'
language too.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence

from msgspec import Struct

from heaptui.errors import Refused
from heaptui.units import short_size

_ONE_EACH = {"{items}": "items", "{results}": "results"}
_PATH = re.compile(r"\{(slice|task_file|handover)\}")

_KERNEL_MOST = 6 << 20
"""Linux takes three quarters of the usual stack's 8M, however large the stack may grow
(fs/exec.c)."""

_MARGIN = 16 << 10
"""For what a launch adds: heaptui's own variables, the words of a `#!` line."""

_POINTER = 8
_SHOWN = 3


class Filling(Struct, frozen=True, kw_only=True):
    """What a task has for its command. None: it has no such thing, and the placeholder stays."""

    items: tuple[str, ...] | None = None
    results: tuple[str, ...] | None = None
    slice: str | None = None
    task_file: str | None = None
    handover: str | None = None


def uses(argv: Sequence[str]) -> frozenset[str]:
    """The names of the placeholders in a command, whether it can be filled or not. The program
    itself is none."""
    words = argv[1:]
    alone = {_ONE_EACH[word] for word in words if word in _ONE_EACH}
    return frozenset(alone.union(*(_PATH.findall(word) for word in words)))


def filled(argv: Sequence[str], filling: Filling) -> tuple[str, ...]:
    """The command as it is executed."""
    return tuple(_filled(argv, filling, None))


def abridged(argv: Sequence[str], filling: Filling) -> tuple[str, ...]:
    """As `filled`, to be shown: of many items or results the first and how many more."""
    return tuple(_filled(argv, filling, _SHOWN))


def check_room(argv: Sequence[str], env: Mapping[str, str]) -> None:
    """Whether the system lets a program be given so much (execve(2), E2BIG).

    Raises:
        Refused: it does not.
    """
    words = [*argv, *(f"{key}={value}" for key, value in env.items())]
    needed = sum(len(os.fsencode(word)) + 1 + _POINTER for word in words) + _MARGIN
    room = _room()
    if needed > room:
        raise Refused(
            f"One argument for each of its items makes a command of {short_size(needed)}; this "
            f"system takes {short_size(room)} with the environment.",
            "Write {slice} instead of {items}: the path of a file that lists them, one a line.",
        )


def _filled(argv: Sequence[str], filling: Filling, most: int | None) -> list[str]:
    def path(found: re.Match[str]) -> str:
        value: str | None = getattr(filling, found[1])
        return found[0] if value is None else value

    words = list(argv[:1])
    for word in argv[1:]:
        each: tuple[str, ...] | None = None
        if word in _ONE_EACH:
            each = getattr(filling, _ONE_EACH[word])
        if each is None:
            words.append(_PATH.sub(path, word))
        elif most is None or len(each) <= most + 1:
            words += each
        else:
            words += [*each[:most], f"… {len(each) - most} more"]
    return words


def _room() -> int:
    """Bytes of arguments and environment."""
    try:
        most = os.sysconf("SC_ARG_MAX")
    except (OSError, ValueError):
        most = -1
    if most <= 0:
        return _KERNEL_MOST
    return min(most, _KERNEL_MOST) if sys.platform == "linux" else most
