"""What globs choose."""

from __future__ import annotations

import re

import pytest

from heaptui.tools.searching.globs import Fits, chosen


def compiled(expression: str) -> Fits:
    pattern = re.compile(expression, re.DOTALL)
    return lambda path: pattern.fullmatch(path) is not None


@pytest.mark.parametrize(
    ("globs", "fit", "others"),
    [
        ((), ["a", "b/c"], []),
        (("*.py",), ["a.py", "b/c.py", ".py"], ["a.pyc", "b/c.txt", "apy"]),
        (("/*.py",), ["a.py"], ["b/c.py"]),
        (("src/*.py",), ["src/a.py"], ["src/b/c.py", "x/src/a.py"]),
        (("src/**/*.py",), ["src/a.py", "src/b/c.py"], ["x/src/a.py"]),
        (("**/t/*",), ["t/a", "x/t/b"], ["t/a/b"]),
        (("src/**",), ["src/a", "src/b/c"], ["x/src"]),
        (("*.{ts,js}",), ["a.ts", "b/c.js"], ["a.tsx", "a.{ts,js}"]),
        (("[ab]?.c",), ["a1.c", "b2.c"], ["c1.c", "a.c", "a/.c"]),
        (("[!a]",), ["b"], ["a"]),
        (("!tests",), ["a.py"], ["tests/a.py", "x/tests/y/b.py"]),
        (("!tests/", "*.py"), ["a.py", "tests/a.py"], ["b.txt"]),
        (("*.py", "!tests"), ["a.py"], ["tests/a.py", "b.txt"]),
        (("a+b(c).x", r"\*"), ["a+b(c).x", "*"], ["aab(c).x", "b"]),
        (("a,b}",), ["a,b}"], ["a"]),
        (("ä*",), ["äh"], ["ah"]),
    ],
)
def test_chosen(globs: tuple[str, ...], fit: list[str], others: list[str]) -> None:
    chooses = chosen(globs, compiled)
    assert [path for path in fit + others if chooses(path)] == fit
