"""Whatever is split, however often and wherever it was interrupted: everything is done once."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from heaptui.errors import Refused
from heaptui.inputs import DEPTH_ASKED, Inputs, Item, Source
from heaptui.splitting import agreement, listed, markdown, parts
from heaptui.splitting.left import read_done, remaining, ticked, within
from heaptui.splitting.strategies import Wanted, divide, possible

Atom = tuple[str, int]
"""What can be done once: a line of a file, or something without lines (0)."""


class Place(NamedTuple):
    """Where a task works: its directory, and what is its own."""

    cwd: Path
    own: Path

    @property
    def parts(self) -> Path:
        return self.own / "parts"


def atoms(item: Item, cwd: Path, source: Source) -> Iterator[Atom]:
    if source is not Source.FILES:
        yield (item.name, 0)
        return
    of = item.of or item.name
    last = item.last or parts.lines_of(cwd / of)
    yield from ((of, line) for line in range(item.first or 1, last + 1))
    if not last:
        yield (of, 0)


def spelt(item: Item, place: Place, source: Source, dice: Random) -> str:
    """As some worker might report it."""
    if source is not Source.FILES:
        return item.name
    if item.of and dice.random() < 0.5:
        return str(parts.path_of(place.parts, item))
    return dice.choice([item.name, f"./{item.name}", f"{place.cwd}/x/../{item.name}"])


def work(inputs: Inputs, place: Place, dice: Random) -> None:
    """A worker does some of what is left, and is interrupted: perhaps in the middle of a line."""
    reported = place.own / "done"
    left, _ = remaining(inputs, standing(inputs, place), cwd=place.cwd, parts=place.parts)
    for item in dice.sample(left, dice.randint(0, len(left))):
        if inputs.source is Source.BOXES and dice.random() < 0.5:
            tick(Path(inputs.origin), item.name)
            continue
        with reported.open("a") as file:
            file.write(spelt(item, place, inputs.source, dice) + "\n")
    if left and dice.random() < 0.3:
        with reported.open("a") as file:
            file.write(left[0].name)


def tick(path: Path, name: str) -> None:
    text = path.read_text()
    (line,) = [one for one in text.split("\n") if one == f"- [ ] {name}"]
    path.write_text(text.replace(f"{line}\n", f"- [x] {name}\n", 1))


def standing(inputs: Inputs, place: Place) -> list[str]:
    return [*read_done(place.own / "done"), *ticked(inputs, Path(inputs.origin))]


def run(inputs: Inputs, place: Place, dice: Random, depth: int) -> Counter[Atom]:
    """How often everything was done in the end, by the task and by its children."""
    source, cwd = inputs.source, place.cwd
    work(inputs, place, dice)
    left, done = remaining(inputs, standing(inputs, place), cwd=cwd, parts=place.parts)
    assert {*left, *done} == set(inputs.items)
    assert len(left) + len(done) == len(inputs.items)
    wanted = Wanted(dice.choice([1, 5, 20, 1000]), dice.choice([None, None, 2, 3, 7]))
    try:
        if depth == DEPTH_ASKED:
            raise Refused("It goes on alone.")
        items, gone = listed.measured(left, source, cwd)
        assert not gone
        shares, _ = divide(dice.choice(possible(source)), items, source, wanted, cwd)
    except Refused:
        counts = Counter[Atom]()
        for item in inputs.items:
            counts.update(atoms(item, cwd, source))
        return counts
    agreement.check(shares, left, (), lines_of=lambda name: parts.lines_of(cwd / name))
    # it goes on while the operator looks at the preview
    work(inputs, place, dice)
    left, done = remaining(inputs, standing(inputs, place), cwd=cwd, parts=place.parts)
    agreement.check(shares, left, (), lines_of=lambda name: parts.lines_of(cwd / name), done=done)
    counts = Counter(atom for item in done for atom in atoms(item, cwd, source))
    inside = within(left)
    for part, share in enumerate(shares):
        own = tuple(filter(inside, share.items))
        if own:
            counts += run(*child(inputs, own, place, part), dice, depth + 1)
    return counts


def child(inputs: Inputs, items: tuple[Item, ...], place: Place, part: int) -> tuple[Inputs, Place]:
    """With what it needs, as it is laid out for its worker."""
    own = place.own / str(part)
    own.mkdir()
    there = Place(place.cwd, own)
    for item in items:
        if item.of:
            copy = parts.cut(there.parts, item, place.cwd).read_bytes()
            whole = (place.cwd / item.of).read_bytes().splitlines(keepends=True)
            assert copy == b"".join(whole[item.first - 1 : item.last])
    origin = inputs.origin
    if inputs.source is Source.BOXES:
        text = markdown.excerpt(Path(origin).read_text(), items, inputs.source)
        origin = str(own / "tasks.md")
        Path(origin).write_text(text)
        names = [item.name for item in markdown.boxes(text)]
        assert sorted(names) == sorted(item.name for item in items)
    return Inputs(source=inputs.source, items=items, origin=origin), there


def everything_once(inputs: Inputs, place: Place, dice: Random) -> None:
    listed.check(inputs)
    once = Counter(atom for item in inputs.items for atom in atoms(item, place.cwd, inputs.source))
    assert set(once.values()) <= {1}
    assert run(inputs, place, dice, 0) == once


SIZES = st.integers(0, 3) | st.integers(0, 60)
FILES = st.dictionaries(
    st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map("/f".join).map(lambda x: x + ".t"),
    st.tuples(SIZES, st.sampled_from(["x\n", "0123456\n", "é" * 30 + "\n", "\n"]), st.booleans()),
    min_size=1,
    max_size=8,
)


@settings(max_examples=150, deadline=None)
@given(FILES, st.randoms(use_true_random=False))
def test_files(files: dict[str, tuple[int, str, bool]], dice: Random) -> None:
    with tempfile.TemporaryDirectory() as name:
        place = Place(Path(name, "work"), Path(name, "state"))
        place.own.mkdir()
        for path, (count, line, ended) in files.items():
            file = place.cwd / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text((line * count) if ended else (line * count).removesuffix("\n"))
        everything_once(listed.files(list(files), place.cwd), place, dice)


@settings(max_examples=80, deadline=None)
@given(
    st.sets(st.text("ab é/:-1", min_size=1, max_size=6).map(str.strip).filter(bool), min_size=1),
    st.randoms(use_true_random=False),
)
def test_lines(lines: set[str], dice: Random) -> None:
    with tempfile.TemporaryDirectory() as name:
        place = Place(Path(name), Path(name, "state"))
        place.own.mkdir()
        items = tuple(Item(line, len(line)) for line in sorted(lines))
        everything_once(Inputs(source=Source.LINES, items=items, origin="-"), place, dice)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.sampled_from(["# one", "## two", "- [ ] a", "- [ ] b", "- [x] b", "prose"])).map(
        lambda lines: [*lines, "- [ ] last"]
    ),
    st.randoms(use_true_random=False),
)
def test_boxes(lines: list[str], dice: Random) -> None:
    with tempfile.TemporaryDirectory() as name:
        place = Place(Path(name), Path(name, "state"))
        place.own.mkdir()
        path = Path(name, "TASKS.md")
        # named in full, so that a tick can find its line
        found = markdown.boxes("\n".join(lines))
        path.write_text(markdown.excerpt("\n".join(lines), found, Source.BOXES))
        everything_once(listed.from_markdown(path), place, dice)
