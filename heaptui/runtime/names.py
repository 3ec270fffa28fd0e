"""What a task is called, and what kind of command it is, when nobody said so."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePath

from heaptui.model import Kind
from heaptui.output import printable
from heaptui.runtime.placeholders import uses

NAME_MAX = 80

_NODE = re.compile(r"node(js)?")
_PYTHON = re.compile(r"(python|pypy)[23]?(\.\d+)?")
_NODE_SCRIPT = (".js", ".mjs", ".cjs")
_PYTHON_SCRIPT = (".py",)


def infer_kind(argv: Sequence[str]) -> Kind:
    """The kind that `argv[0]` tells: an interpreter by its name, or a script by its ending."""
    if not argv:
        return Kind.COMMAND
    if is_node(argv[0]) or is_node_script(argv[0]):
        return Kind.NODE
    if is_python(argv[0]) or is_python_script(argv[0]):
        return Kind.PYTHON
    return Kind.COMMAND


def is_node(program: str) -> bool:
    return _NODE.fullmatch(PurePath(program).name) is not None


def is_node_script(program: str) -> bool:
    return program.endswith(_NODE_SCRIPT)


def is_python(program: str) -> bool:
    return _PYTHON.fullmatch(PurePath(program).name) is not None


def is_python_script(program: str) -> bool:
    return program.endswith(_PYTHON_SCRIPT)


def clean_name(text: str, argv: Sequence[str] = ()) -> str:
    """One line of at most 80 characters that may be shown anywhere; when nothing of `text` is left,
    what `argv` runs: the script of an interpreter, else the program; else `task`."""
    for candidate in (text, *_told_by(argv), "task"):
        # a name of megabytes is cut before it is cleaned, generously: sequences may vanish
        name = " ".join(printable(candidate[: NAME_MAX * 20]).split())
        if name:
            return name if len(name) <= NAME_MAX else name[: NAME_MAX - 1].rstrip() + "…"
    raise AssertionError("a literal is never empty")


def _told_by(argv: Sequence[str]) -> list[str]:
    if not argv:
        return []
    program = PurePath(argv[0]).name
    interpreter = is_node(argv[0]) or is_python(argv[0])
    fixed = len(argv) > 1 and not argv[1].startswith("-") and not uses(argv[:2])
    if interpreter and fixed:
        return [PurePath(argv[1]).name, program]
    return [program]
