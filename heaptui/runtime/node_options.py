"""Words of NODE_OPTIONS that name a path."""

from __future__ import annotations

import re
from pathlib import Path

_QUOTED = re.compile(r'[ "\\]')


def option_value(path: Path) -> str:
    """As Node reads NODE_OPTIONS: a space ends a word unless it is in double quotes, in which a
    backslash takes the next character as it is."""
    value = str(path)
    if not _QUOTED.search(value):
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def own_option(flag: str, ending: str) -> str:
    """The pattern of a flag in NODE_OPTIONS whose path ends so, as `option_value` writes it, with
    the spaces before it."""
    return rf' *--{flag}=(?:"(?:[^"\\]|\\.)*{ending}"|[^ "]*{ending}(?= |$))'
