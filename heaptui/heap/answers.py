"""What can be asked of a heap snapshot, and what is answered.

The questions go to a process of their own (heap/reader.py), for a snapshot's graph may be larger
than everything else on the host. Bytes; `node` is an object's place in the file, valid for one
reader; `id` is V8's own and the same in two snapshots of one process. Of two files the second is
the one that is asked about; only `Diff`, `Fresh` and `Leak` look at both.

Every text comes out of a foreign heap: it is data, shown only through `heaptui.output.printable`.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

STRINGS = frozenset({"string", "concatenated string", "sliced string", "str"})
"""Kinds of objects whose text can be asked for: see `Value`."""


# --- what is shown -------------------------------------------------------------------------------
class Header(Struct, frozen=True, kw_only=True):
    """A file and what it holds. `format`: v8 or python. `engine`: fast, or plain where numpy and
    numba are not installed: then only `Summary` and `Diff` are answered, and without retained
    sizes. `reached_bytes` is what the root holds; `nodes` and `edges` are as counted."""

    path: str
    file_bytes: int
    format: str
    engine: str
    nodes: int
    edges: int
    heap_bytes: int
    runtime: str = ""
    took_s: float = 0
    peak_bytes: int | None = None
    notes: tuple[str, ...] = ()


class ClassRow(Struct, frozen=True, kw_only=True):
    """All objects of one class. `share` is retained of the whole heap, 0 to 1. `distance` is the
    least of any of them from the root."""

    name: str
    count: int
    shallow: int
    retained: int | None = None
    share: float | None = None
    distance: int | None = None
    note: str = ""


class ObjectRow(Struct, frozen=True, kw_only=True):
    """One object. `edge` is how the row above reaches it, or how it reaches the row below, as
    source text has it: `.cache`, `[12]`, `(closure) cache`, `Map key`. `function`, `file` and
    `line` where it is a closure, or belongs to one, and the snapshot knows. `more` is how many
    children it has where rows can be opened. `inner`: the edge is the runtime's own, no source
    names it."""

    node: int
    id: int
    name: str
    kind: str
    preview: str = ""
    shallow: int = 0
    retained: int | None = None
    distance: int | None = None
    edge: str = ""
    inner: bool = False
    function: str | None = None
    file: str | None = None
    line: int | None = None
    more: int = 0


class StringRow(Struct, frozen=True, kw_only=True):
    """Equal strings. `wasted` is what all but one of them take."""

    preview: str
    length: int
    count: int
    bytes: int
    wasted: int
    node: int


class DiffRow(Struct, frozen=True, kw_only=True):
    """One class in two snapshots: what is there only in the second, only in the first. `retained`
    is what all of the class hold in the second."""

    name: str
    new: int
    freed: int
    delta: int
    new_bytes: int
    freed_bytes: int
    delta_bytes: int
    retained: int | None = None


class Grown(Struct, frozen=True, kw_only=True):
    """A class that grew between the two; `retained` of the new objects together."""

    name: str
    count: int
    bytes: int
    retained: int


class LeakAnswer(Struct, frozen=True, kw_only=True):
    """What grew and what holds it. `path` from the root to the new objects' common holder, as
    `ObjectRow`s; `holder` the variable or property in words; `text` the finding in a sentence, or
    why there is none. Not `paired`: their objects have no numbers in common, so only classes can be
    compared."""

    text: str
    paired: bool = True
    growers: tuple[Grown, ...] = ()
    path: tuple[ObjectRow, ...] = ()
    holder: str | None = None
    function: str | None = None
    file: str | None = None
    line: int | None = None
    held_bytes: int | None = None
    new_bytes: int = 0


class Page(Struct, frozen=True, kw_only=True):
    """A part of a list, and how long it is."""

    rows: tuple[ObjectRow, ...]
    total: int


# --- what is asked -------------------------------------------------------------------------------
class Summary(Struct, tag="summary", frozen=True, kw_only=True):
    """Classes by `order`: retained, shallow, count, name. Answer: tuple[ClassRow, ...]."""

    order: str = "retained"
    match: str = ""
    limit: int = 200


class Objects(Struct, tag="objects", frozen=True, kw_only=True):
    """Objects of a class, largest retained first. Answer: Page."""

    name: str
    offset: int = 0
    limit: int = 100


class Children(Struct, tag="children", frozen=True, kw_only=True):
    """What an object refers to, largest retained first. Answer: Page."""

    node: int
    offset: int = 0
    limit: int = 100


class Retainers(Struct, tag="retainers", frozen=True, kw_only=True):
    """What refers to an object, nearest to the root first. Answer: Page."""

    node: int
    offset: int = 0
    limit: int = 100


class Path(Struct, tag="path", frozen=True, kw_only=True):
    """The shortest path from the root to an object, the root first; of equal ones that over named
    properties. `edge` of a row is how the row before reaches it. Answer: tuple[ObjectRow, ...]."""

    node: int


class Dominated(Struct, tag="dominated", frozen=True, kw_only=True):
    """What would be freed with an object (None: the root), largest first: its children in the
    dominator tree. Answer: Page."""

    node: int | None = None
    offset: int = 0
    limit: int = 100


class Strings(Struct, tag="strings", frozen=True, kw_only=True):
    """`order`: bytes (of all equal ones), length, wasted. Answer: tuple[StringRow, ...]."""

    order: str = "bytes"
    match: str = ""
    limit: int = 100


class Find(Struct, tag="find", frozen=True, kw_only=True):
    """The object with this id (V8's, as `@123` in DevTools). Answer: ObjectRow."""

    id: int


class Value(Struct, tag="value", frozen=True, kw_only=True):
    """A string's text, up to `most` characters. Answer: str."""

    node: int
    most: int = 100_000


class Diff(Struct, tag="diff", frozen=True, kw_only=True):
    """Classes that differ, by `order`: delta (bytes), new, freed. Answer: tuple[DiffRow, ...]."""

    order: str = "delta"
    match: str = ""
    limit: int = 200


class Fresh(Struct, tag="fresh", frozen=True, kw_only=True):
    """Objects of a class that are only in the second file, largest first. Answer: Page."""

    name: str
    offset: int = 0
    limit: int = 100


class Leak(Struct, tag="leak", frozen=True, kw_only=True):
    """What grew, and the shortest retainer path that it shares. Answer: LeakAnswer."""

    most: int = 5


Question = (
    Summary
    | Objects
    | Children
    | Retainers
    | Path
    | Dominated
    | Strings
    | Find
    | Value
    | Diff
    | Fresh
    | Leak
)

ANSWERS: dict[type[Struct], Any] = {
    Summary: tuple[ClassRow, ...],
    Objects: Page,
    Children: Page,
    Retainers: Page,
    Path: tuple[ObjectRow, ...],
    Dominated: Page,
    Strings: tuple[StringRow, ...],
    Find: ObjectRow,
    Value: str,
    Diff: tuple[DiffRow, ...],
    Fresh: Page,
    Leak: LeakAnswer,
}


class Asked(Struct, frozen=True):
    """A question on the reader's standard input, a line each."""

    seq: int
    question: Question


class Opened(Struct, tag="opened", frozen=True, kw_only=True):
    """The files are loaded: the reader answers questions from now on."""

    headers: tuple[Header, ...]


class Progress(Struct, tag="progress", frozen=True, kw_only=True):
    """While it loads. `fraction` of the whole, 0 to 1; `phase` in words for the screen."""

    phase: str
    fraction: float


class Answered(Struct, tag="answered", frozen=True, kw_only=True):
    seq: int
    answer: msgspec.Raw


class Trouble(Struct, tag="trouble", frozen=True, kw_only=True):
    """An error of the family in errors.py; with `seq` 0 the files cannot be read, and it ends."""

    seq: int
    kind: str
    what: str
    remedy: str = ""


FromReader = Opened | Progress | Answered | Trouble

encode = msgspec.json.Encoder().encode
decode_from_reader = msgspec.json.Decoder(FromReader).decode
decode_asked = msgspec.json.Decoder(Asked).decode
