"""`heaptui heap`: what a snapshot says, on a terminal or as JSON."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from heaptui import units
from heaptui.cli import heap_files, heap_rows
from heaptui.cli.listing import clean, put_json
from heaptui.errors import UsageError

if TYPE_CHECKING:
    from heaptui.heap.answers import Header, ObjectRow, Page
    from heaptui.heap.reader import Reader

T = TypeVar("T")

_NODE = re.compile(r"@(\d{1,19})")

_file = heap_files.argument("file", "FILE|NUMBER")
_json = click.option("--json", "json_", is_flag=True, help="Print JSON.")
_match = click.option("--match", default="", help="Only those whose name holds this.")
_anyway = click.option("--anyway", is_flag=True, help="Read it even where memory may not suffice.")


def _limit(default: int) -> Callable[[Any], Any]:
    return click.option(
        "--limit", "-n", default=default, show_default=True, type=click.IntRange(1, 1000),
        help="How many rows.",
    )  # fmt: skip


@click.group()
def heap() -> None:
    """Read a heap snapshot: of Node, of Chrome, or of Python by heaptui.

    A FILE may also be given as its NUMBER in `heaptui snapshots`.

    Sizes are in bytes: shallow of the object itself, retained what would be freed with it.
    Classes are counted as DevTools counts them, but for plain objects, which are one class
    `Object` here; DevTools makes a class of each set of properties that occurs often.
    """


@heap.command()
@_file
@click.option(
    "--order",
    type=click.Choice(["retained", "shallow", "count", "name"]),
    default="retained",
    show_default=True,
)
@_match
@_limit(30)
@_anyway
@_json
def summary(file: Path, order: str, match: str, limit: int, anyway: bool, json_: bool) -> None:
    """Classes with how many objects they have and what these hold."""
    from heaptui.heap.answers import Summary

    rows = _asked(
        [file], lambda read: read.ask(Summary(order=order, match=match, limit=limit)), anyway
    )
    if json_:
        put_json(rows)
        return
    heap_rows.put_classes(rows)


@heap.command()
@heap_files.argument("older", "OLDER")
@heap_files.argument("newer", "NEWER")
@click.option(
    "--order",
    type=click.Choice(["delta", "new", "freed"]),
    default="delta",
    show_default=True,
    help="By bytes.",
)
@click.option("--leak", "leak_", is_flag=True, help="Say what grew and what holds it.")
@_match
@_limit(30)
@_anyway
@_json
def diff(
    older: Path,
    newer: Path,
    order: str,
    leak_: bool,
    match: str,
    limit: int,
    anyway: bool,
    json_: bool,
) -> None:
    """What the newer of two snapshots of one process has more and less.

    Each is a file, or its number in `heaptui snapshots`. Ordered by delta, the table leaves out
    classes with as many new objects and bytes as freed ones; --json has them all.
    """
    from heaptui.heap.answers import Diff, Leak

    if note := heap_files.order_note(older, newer):
        heap_rows.put_note(note)
    if leak_:
        found = _asked([older, newer], lambda read: read.ask(Leak()), anyway)
        if json_:
            put_json(found)
            return
        print(clean(found.text, 2000))
        if found.path:
            heap_rows.put_path(found.path)
        return
    rows = _asked(
        [older, newer],
        lambda read: read.ask(Diff(order=order, match=match, limit=limit)),
        anyway,
    )
    if json_:
        put_json(rows)
        return
    if not rows:
        heap_rows.put_note("no class differs")
        return
    heap_rows.put_difference(rows, even=order != "delta")


@heap.command()
@_file
@click.argument("what", metavar="@ID|CLASS")
@_limit(20)
@_anyway
@_json
def retainers(file: Path, what: str, limit: int, anyway: bool, json_: bool) -> None:
    """What holds an object: the shortest path to it from the root, and all that refers to it.

    An object is given by its id, as `@123`, or by a class, of which it is the largest.
    """
    from heaptui.heap.answers import Path as ShortestPath
    from heaptui.heap.answers import Retainers

    async def held(read: Reader) -> tuple[ObjectRow, tuple[ObjectRow, ...], Page]:
        one = await _object(read, what)
        return (
            one,
            await read.ask(ShortestPath(node=one.node)),
            await read.ask(Retainers(node=one.node, limit=limit)),
        )

    one, path, page = _asked([file], held, anyway)
    if json_:
        put_json({"object": one, "path": path, "retainers": page})
        return
    if path:
        heap_rows.put_path(path)
    else:
        heap_rows.put_note("nothing but weak references leads to it: the next collection frees it")
    print(f"\n{page.total:,} referring to {clean(one.name)} @{one.id}")
    heap_rows.put_path(page.rows)
    if page.total > len(page.rows):
        heap_rows.put_note(f"{page.total - len(page.rows):,} more: --limit")


@heap.command()
@_file
@click.option(
    "--order",
    type=click.Choice(["bytes", "length", "wasted"]),
    default="bytes",
    show_default=True,
    help="wasted: what all but one of equal strings take.",
)
@click.option("--match", default="", help="Only those that hold this.")
@_limit(30)
@_anyway
@_json
def strings(file: Path, order: str, match: str, limit: int, anyway: bool, json_: bool) -> None:
    """The strings that take most, equal ones together."""
    from heaptui.heap.answers import Strings

    rows = _asked(
        [file], lambda read: read.ask(Strings(order=order, match=match, limit=limit)), anyway
    )
    if json_:
        put_json(rows)
        return
    heap_rows.put_strings(rows)


@heap.command()
@_file
@click.argument("name", metavar="CLASS")
@click.option("--offset", default=0, type=click.IntRange(0), help="Pass over the first ones.")
@_limit(30)
@_anyway
@_json
def objects(file: Path, name: str, offset: int, limit: int, anyway: bool, json_: bool) -> None:
    """Objects of a class, those that hold most first."""
    from heaptui.heap.answers import Objects

    page = _asked(
        [file], lambda read: read.ask(Objects(name=name, offset=offset, limit=limit)), anyway
    )
    heap_rows.put_page(page, offset, json_=json_)


@heap.command()
@_file
@click.argument("what", metavar="[@ID|CLASS]", required=False)
@_limit(30)
@_anyway
@_json
def tree(file: Path, what: str | None, limit: int, anyway: bool, json_: bool) -> None:
    """What would be freed with an object, or what the root holds: the dominator tree."""
    from heaptui.heap.answers import Dominated

    async def below(read: Reader) -> Page:
        node = None if what is None else (await _object(read, what)).node
        return await read.ask(Dominated(node=node, limit=limit))

    heap_rows.put_page(_asked([file], below, anyway), 0, json_=json_)


# --- asking --------------------------------------------------------------------------------------
def _asked(files: Sequence[Path], question: Callable[[Reader], Awaitable[T]], anyway: bool) -> T:
    from heaptui.heap.reader import reader

    async def asked() -> T:
        with _Progress() as progress:
            async with reader(*files, progress=progress.show, anyway=anyway) as read:
                progress.clear()
                _introduce(read.headers)
                heap_files.require_one_runtime(read.headers)
                return await question(read)

    return asyncio.run(asked())


async def _object(read: Reader, what: str) -> ObjectRow:
    from heaptui.heap.answers import Find, Objects

    if found := _NODE.fullmatch(what):
        return await read.ask(Find(id=int(found[1])))
    if what.startswith("@"):
        raise UsageError(f"{what[:40]!r} is no object's id.", "An id is written as @123.")
    page = await read.ask(Objects(name=what, limit=1))
    return page.rows[0]


class _Progress:
    """One line on a terminal's stderr, gone when the answer stands."""

    def __init__(self) -> None:
        self._shown = sys.stderr.isatty()
        self._dirty = False

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()

    def show(self, phase: str, fraction: float) -> None:
        if self._shown:
            sys.stderr.write(f"\r\x1b[K{clean(phase, 60)} {fraction:.0%}")
            sys.stderr.flush()
            self._dirty = True

    def clear(self) -> None:
        if self._dirty:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self._dirty = False


def _introduce(headers: Sequence[Header]) -> None:
    for header in headers:
        what = f"{header.runtime} " if header.runtime else ""
        heap_rows.put_note(
            f"{clean(header.path, 200)}: {clean(what)}heap of {units.size(header.heap_bytes)}, "
            f"{header.nodes:,} objects, read in {header.took_s:.1f} s"
        )
        for note in header.notes:
            heap_rows.put_note(note)
