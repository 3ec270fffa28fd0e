"""What an agent's own prompt takes of its model's context before the work begins: instructions and
tool descriptions. Tokens, as read off on releases of November 2026; they move with every release,
so they are an orientation for how much of a budget is left, never a limit."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePath
from typing import Final, NamedTuple

from heaptui.runtime.names import is_node, is_python

FIXED_TOKENS: Final = {
    "codex": 9_900,
    "claude": 13_000,
    "copilot": 12_000,
    "pi": 1_400,
    "cline": 5_500,
    "qwen": 20_000,
    "gemini": 13_500,
    "opencode": 7_700,
    "mini": 900,
}

_PACKAGES: Final = {
    "@openai/codex": "codex",
    "@anthropic-ai/claude-code": "claude",
    "@github/copilot": "copilot",
    "@mariozechner/pi-coding-agent": "pi",
    "@qwen-code/qwen-code": "qwen",
    "@google/gemini-cli": "gemini",
    "opencode-ai": "opencode",
    "mini-swe-agent": "mini",
}
"""As npx and uvx are given them, where they are not called like the program."""


class _Launcher(NamedTuple):
    """A program that executes the one named behind it: its options that take a word, and how many
    words of its own stand before that program."""

    valued: tuple[str, ...] = ()
    words: int = 0


_LAUNCHERS: Final = {
    "env": _Launcher(("-u", "--unset", "-C", "--chdir")),
    "npx": _Launcher(("-p", "--package", "-w", "--workspace")),
    "pnpx": _Launcher(),
    "bunx": _Launcher(("-p", "--package")),
    "uvx": _Launcher(("--from", "--with", "-p", "--python")),
    "nice": _Launcher(("-n", "--adjustment")),
    "nohup": _Launcher(),
    "setsid": _Launcher(),
    "time": _Launcher(),
    "timeout": _Launcher(("-k", "--kill-after", "-s", "--signal"), words=1),
}

_ASSIGNMENT = re.compile(r"\w+=.*", re.DOTALL)
_VERSION = re.compile(r"(?<=.)@[^@/]*\Z")
_INSTALLED = re.compile(r"/node_modules/((?:@[^/]+/)?[^/]+)/")


def fixed_prompt_tokens(argv: Sequence[str]) -> int:
    """Tokens that the fixed prompt of the agent which `argv` runs takes; 0 where it runs none that
    is known, or a shell, whose line is not read."""
    words = list(argv)
    while words and (launcher := _LAUNCHERS.get(PurePath(words[0]).name)) is not None:
        words = _behind(words[1:], launcher)
    if words and _interprets(words[0]):
        words = _behind(words[1:], _Launcher())
    if not words:
        return 0
    installed = _INSTALLED.findall(words[0])
    return _of(installed[-1]) if installed else _of(words[0])


def _behind(words: list[str], launcher: _Launcher) -> list[str]:
    """What follows a launcher's options, its assignments and its own words."""
    own, at = launcher.words, 0
    while at < len(words):
        word = words[at]
        if word in launcher.valued:
            at += 2
        elif word.startswith("-") or _ASSIGNMENT.fullmatch(word):
            at += 1
        elif own:
            own, at = own - 1, at + 1
        else:
            break
    return words[at:]


def _interprets(program: str) -> bool:
    return is_node(program) or is_python(program) or PurePath(program).name == "bun"


def _of(word: str) -> int:
    """Of a program's path, or a package with or without a version."""
    package = _VERSION.sub("", word)
    name = _PACKAGES.get(package, PurePath(package).name)
    return FIXED_TOKENS.get(_PACKAGES.get(name, name), 0)
