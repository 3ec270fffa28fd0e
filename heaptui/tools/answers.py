"""What the tools answer: frozen, bounded, and always with where to go on.

Bytes, seconds; lines are counted from 1, bytes from 0; tokens are estimates (tokens.py). Text is
what may be shown: what was no UTF-8 is replaced, and the answer says so.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

READ_LINES, READ_LINES_MOST = 2000, 2000
LINE_CHARACTERS = 2000
READ_BYTES, READ_BYTES_MOST = 50_000, 4 << 20
READ_TOKENS = 12_000
GREP_LINES, GREP_COLUMNS, GREP_BYTES = 250, 500, 40_000
LIST_ENTRIES = 2000
WITHIN_S = 30.0


class Stopped(StrEnum):
    """Why an answer ends where it ends."""

    END = "end"
    """There is no more."""
    LINES = "lines"
    BYTES = "bytes"
    TOKENS = "tokens"
    TIME = "time"
    MEMORY = "memory"
    CANCELLED = "cancelled"


class Tag(Struct, frozen=True, array_like=True):
    """Which file it was, and in which state: what a later Edit is checked against. `sha256` only
    where the whole file was seen."""

    dev: int
    ino: int
    size: int
    mtime_ns: int
    ctime_ns: int
    sha256: str = ""


class Text(Struct, frozen=True, kw_only=True):
    """What Read answers. `first` to `last` are its lines (0: none), `next_line` and `next_byte`
    where to go on (None: nowhere). `cut_lines` were longer than a line may be: `next_byte` inside
    one is where its rest begins. `changed`: the file was another while it was read. `ends` are its
    line ends (`\\n`, `\\r\\n`, mixed), `encoding` how it was decoded, `replaced` how many bytes
    were none of it. `lines_total` where it is known."""

    path: str
    text: str
    tag: Tag
    first: int
    last: int
    stopped: Stopped
    next_line: int | None = None
    next_byte: int | None = None
    lines_total: int | None = None
    cut_lines: tuple[int, ...] = ()
    changed: bool = False
    ends: str = "\n"
    encoding: str = "utf-8"
    bom: bool = False
    replaced: int = 0
    tokens: int = 0


class Match(Struct, frozen=True, kw_only=True):
    """A line that Grep found, or one beside it (`context`)."""

    path: str
    line: int
    text: str
    context: bool = False
    cut: bool = False


class Found(Struct, frozen=True, kw_only=True):
    """What Grep answers. `mode`: content, files or count; `matches` for the first, `files` (and
    `counts` beside them) for the others. `offset` is where it began, `next_offset` where to go on.
    `by` is what searched: rg or re2. `skipped` are files that could not be looked at, with why.
    `artifact` has what comes after these too, line by line."""

    mode: str
    by: str
    stopped: Stopped
    matches: tuple[Match, ...] = ()
    files: tuple[str, ...] = ()
    counts: tuple[int, ...] = ()
    offset: int = 0
    next_offset: int | None = None
    skipped: tuple[str, ...] = ()
    seconds: float = 0
    artifact: Artifact | None = None


class Entry(Struct, frozen=True, kw_only=True):
    """One name in a directory. `kind`: file, directory, link, other. `bytes` of a file."""

    name: str
    kind: str
    bytes: int | None = None
    mtime: float | None = None
    target: str | None = None


class Listed(Struct, frozen=True, kw_only=True):
    """What List answers: the first entries in order of name, and how many there are of each kind
    (`more`: at least so many, counting stopped). `artifact` has more of them, line by line."""

    path: str
    entries: tuple[Entry, ...]
    files: int
    directories: int
    others: int
    stopped: Stopped
    more: bool = False
    artifact: Artifact | None = None


class Written(Struct, frozen=True, kw_only=True):
    """What Write and Edit answer: `bytes` now, `tag` of the new file, how many places were changed,
    the `lines` of the first few (none for a single one beyond the first 256 MiB), and whether a
    file was made. Not `verified`: nothing here can exchange two names at once, so what another
    program put there in the last moment may be gone. `links` are other names (hard links) that
    still have the old contents."""

    path: str
    bytes: int
    tag: Tag
    created: bool = False
    replaced: int = 0
    lines: tuple[int, ...] = ()
    verified: bool = True
    links: int = 0


ARTIFACT = "artifact:"
"""What stands before an artifact's id where a path can stand."""


class Artifact(Struct, frozen=True, kw_only=True):
    """A result that was too large, whole on disk: `head`, `tail` and `salient` lines of it, and the
    call that reads on (`then`). `bytes` and `lines` are all that there were; `cut`: more than may
    be kept, and what is on disk ends before `tail` begins."""

    id: str
    path: str
    bytes: int
    lines: int
    head: str
    tail: str
    salient: tuple[str, ...]
    then: str
    cut: bool = False
