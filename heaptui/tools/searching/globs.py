"""Which files globs choose, as rg's do: of those that fit, the last one decides.

`*` and `?` stay within one name, `**` crosses directories, `[a-z]`, `[!a-z]` and `{a,b}` are known.
One without a slash fits a name at any depth, any other the path from where the search begins. `!`
leaves out, also all that is in a directory that fits; where one without it is given, only what
fits is looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate

Fits = Callable[[str], bool]
"""Whether a path fits an expression that was compiled."""


def chosen(globs: Sequence[str], compiled: Callable[[str], Fits]) -> Fits:
    """Whether a path without `./` is looked at. `compiled` makes a test of an expression that only
    has groups, classes and repetitions in it."""
    rules = [(glob.startswith("!"), compiled(expression(glob.removeprefix("!")))) for glob in globs]
    only_what_fits = any(not leaves_out for leaves_out, _ in rules)

    def chooses(path: str) -> bool:
        parts = path.split("/")
        above = list(accumulate(parts, lambda left, right: f"{left}/{right}"))
        for leaves_out, fits in reversed(rules):
            if any(map(fits, above)) if leaves_out else fits(path):
                return not leaves_out
        return not only_what_fits

    return chooses


def expression(glob: str) -> str:
    """The expression of a whole path."""
    anchored = "/" in glob.rstrip("/")
    rest = glob.strip("/") if anchored else glob.rstrip("/")
    out: list[str] = [] if anchored else ["(?:.*/)?"]
    depth = 0
    while rest:
        taken, said = _next(rest, depth)
        depth += (said == "(?:") - (said == ")" and depth > 0)
        out.append(said)
        rest = rest[taken:]
    return "".join(out) + ")" * depth


def _next(rest: str, depth: int) -> tuple[int, str]:
    """How many letters are understood, and what they are as an expression."""
    for glob, said in (("**/", "(?:.*/)?"), ("**", ".*"), ("*", "[^/]*"), ("?", "[^/]")):
        if rest.startswith(glob):
            return len(glob), said
    letter = rest[0]
    if letter == "[" and (end := rest.find("]", 2)) > 0:
        members = rest[1:end].replace("\\", "\\\\").replace("[", "\\[")
        negated = members[:1] in ("!", "^")
        return end + 1, f"[{'^' if negated else ''}{members[negated:]}]"
    if letter == "{":
        return 1, "(?:"
    if depth and letter in ",}":
        return 1, "|" if letter == "," else ")"
    if letter == "\\" and len(rest) > 1:
        return 2, _literal(rest[1])
    return 1, _literal(letter)


def _literal(letter: str) -> str:
    return letter if letter.isalnum() or letter in "/_" or not letter.isascii() else f"\\{letter}"
