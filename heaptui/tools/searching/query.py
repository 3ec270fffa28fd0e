"""What is to be searched for, checked, and how rg is asked for it."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from heaptui.errors import UsageError
from heaptui.tools.answers import GREP_COLUMNS

PATTERN_BYTES = 1 << 14
CONTEXT_MOST = 50
GLOBS_MOST = 100


LINE_BYTES = 4 * GREP_COLUMNS
"""What of a line is printed at least: as many letters as are shown, however long each is."""


class Mode(StrEnum):
    CONTENT = "content"
    """The lines that match."""
    FILES = "files"
    """The files that hold one."""
    COUNT = "count"
    """How many lines of each file match."""


class Query(Struct, frozen=True, kw_only=True):
    """What is searched for. `fixed`: the pattern is a text, not an expression; `globs` choose files
    (`*.py`, `!tests/**`); `context` are the lines on either side of a match."""

    pattern: str
    mode: Mode = Mode.CONTENT
    globs: tuple[str, ...] = ()
    ignore_case: bool = False
    fixed: bool = False
    context: int = 0


def query(
    pattern: str, mode: str, globs: tuple[str, ...], *, ignore_case: bool, fixed: bool, context: int
) -> Query:
    """Checked as far as that needs no searcher.

    Raises:
        UsageError: no such mode; a pattern or glob that no program can be given; too much context.
    """
    try:
        chosen = Mode(mode)
    except ValueError as error:
        raise UsageError(f"There is no mode {mode[:40]!r}.", "content, files or count.") from error
    _passable(pattern, "pattern")
    if len(globs) > GLOBS_MOST:
        raise UsageError(f"{len(globs)} globs are more than {GLOBS_MOST}.", "Join some: *.{ts,js}.")
    for glob in globs:
        _passable(glob, "glob")
    if not 0 <= context <= CONTEXT_MOST:
        raise UsageError(
            f"{context} lines of context are not between 0 and {CONTEXT_MOST}.",
            "Read the file around the line instead.",
        )
    return Query(
        pattern=pattern,
        mode=chosen,
        globs=globs,
        ignore_case=ignore_case,
        fixed=fixed,
        context=context,
    )


def _passable(text: str, what: str) -> None:
    try:
        data = text.encode()
    except UnicodeEncodeError as error:
        raise UsageError(
            f"The {what} is not UTF-8.", "Search for it with . in the place of what is not."
        ) from error
    if b"\0" in data:
        raise UsageError(f"The {what} has a NUL in it.", "Leave it out: only text is searched.")
    if not data:
        raise UsageError(f"The {what} is empty.", "Say what to search for.")
    if len(data) > PATTERN_BYTES:
        raise UsageError(
            f"The {what} has {len(data):,} bytes, more than {PATTERN_BYTES:,}.", "Search for less."
        )


def rg_options(asked: Query) -> list[str]:
    """How rg is asked, but for where.

    No configuration of anybody's; hidden files too, but not git's own, nor what a writer of ours
    has not finished; .gitignore counts also where
    there is no repository; long lines are cut. In the order of names, so that an offset means the
    same place in the next call; that takes one thread, which prints what it finds instead of
    keeping it for each file (two threads held 4 GB for two files of 1 GB). Each line at once: what
    was found is known when the time is over or the memory not enough. The pattern is never a word
    of its own, which could be taken for an option that runs programs.
    """
    options = [
        "--no-config",
        "--color=never",
        "--null",
        "--with-filename",
        "--sort=path",
        "--line-buffered",
        "--hidden",
        "--no-require-git",
        "--crlf",
        *(f"--glob={glob}" for glob in asked.globs),
        "--glob=!.git",
        "--glob=!.heaptui-*.tmp",
    ]
    match asked.mode:
        case Mode.CONTENT:
            options += [
                "--line-number",
                "--no-heading",
                f"--max-columns={LINE_BYTES}",
                "--max-columns-preview",
                "--no-context-separator",
                f"--context={asked.context}",
            ]
        case Mode.FILES:
            options.append("--files-with-matches")
        case Mode.COUNT:
            options.append("--count")
    if asked.ignore_case:
        options.append("--ignore-case")
    if asked.fixed:
        options.append("--fixed-strings")
    return [*options, f"--regexp={asked.pattern}"]
