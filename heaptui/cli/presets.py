"""`heaptui presets`: the named sets of V8 limits and flags, and what each one does."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from msgspec import Struct

from heaptui import units
from heaptui.cli import listing
from heaptui.cli.context import Context
from heaptui.cli.tables import Column, put_table
from heaptui.errors import HeaptuiError

if TYPE_CHECKING:
    from heaptui.runtime.node import NodeFacts
    from heaptui.runtime.placement import FlagPlace
    from heaptui.runtime.presets import Preset

_COLUMNS = (
    Column("NAME"),
    Column("LIMIT", right=True),
    Column("OLD", right=True),
    Column("SEMI", right=True),
    Column("NEEDS CAP", right=True),
    Column("FLAGS", leaves=1),
    Column("WHAT FOR", least=20),
)
_LABEL = 10


class Shown(Struct, frozen=True, kw_only=True):
    """A preset as `--json` prints it. `limit_bytes` is the real limit of the heap; `cap_bytes` the
    least cap that holds it; `node` the version whose answer `places` rests on."""

    name: str
    about: str
    old_mb: int
    semi_mb: int
    limit_bytes: int
    cap_bytes: int
    flags: tuple[str, ...]
    measured: tuple[str, ...]
    no_effect: tuple[str, ...]
    node: str | None
    places: list[FlagPlace]
    source: str | None = None


@click.group(invoke_without_command=True)
@click.option("--json", "json_", is_flag=True, help="Print JSON.")
@click.pass_context
def presets(ctx: click.Context, json_: bool) -> None:
    """List the presets: V8 limits and flags by name, for `heaptui run --preset NAME`."""
    if ctx.invoked_subcommand is not None:
        return
    from heaptui.runtime import presets as known

    context: Context = ctx.obj
    found = known.every(known.directory(context.config_path))
    if json_:
        node = _node()
        listing.put_json([_shown(preset, node) for preset in found])
        return
    put_table(
        _COLUMNS,
        [
            (
                preset.name,
                units.size(preset.limit_bytes),
                f"{preset.old_mb}M",
                f"{preset.semi_in_force_mb}M",
                units.size(preset.cap_bytes),
                listing.clean(" ".join(preset.flags)),
                listing.clean(preset.about),
            )
            for preset in found
        ],
    )
    print(
        "LIMIT is what V8 holds to: old + 3 x semi-space, and that is 1M under --optimize-for-size",
        file=sys.stderr,
    )


@presets.command()
@click.argument("name")
@click.option("--json", "json_", is_flag=True, help="Print JSON.")
@click.pass_obj
def show(context: Context, name: str, json_: bool) -> None:
    """Show which flag goes where on this machine's Node, and what it was measured to do."""
    from heaptui.runtime import presets as known

    preset = known.find(name, known.directory(context.config_path))
    shown = _shown(preset, _node())
    if json_:
        listing.put_json(shown)
        return
    for label, text in _lines(preset, shown):
        print(f"{label:<{_LABEL}} {text}".rstrip())


def _node() -> NodeFacts | None:
    """What this machine's Node answers; None where there is none."""
    from heaptui.runtime import node

    found = node.locate(dict(os.environ), Path.cwd())
    if found is None:
        return None
    try:
        return asyncio.run(
            node.facts(
                found,
                env=dict(os.environ),
                cwd=Path.cwd(),
                cache=None,
                ask_data=False,
            )
        )
    except HeaptuiError as error:
        print(f"heaptui: {listing.clean(error.what, 200)}", file=sys.stderr)
        return None


def _shown(preset: Preset, told: NodeFacts | None) -> Shown:
    from heaptui.runtime.placement import places
    from heaptui.runtime.presets import NO_EFFECT

    return Shown(
        name=preset.name,
        about=preset.about,
        old_mb=preset.old_mb,
        semi_mb=preset.semi_mb,
        limit_bytes=preset.limit_bytes,
        cap_bytes=preset.cap_bytes,
        flags=preset.flags,
        measured=preset.measured,
        no_effect=tuple(NO_EFFECT.values()),
        node=None if told is None else told.version,
        places=places(preset, told),
        source=preset.source,
    )


def _without_flags(preset: Preset) -> list[tuple[str, str]]:
    if preset.semi_in_force_mb == preset.semi_mb:
        return []
    alone = preset.heap(for_size=False)
    said = (
        f"{units.size(alone.limit_bytes)} where --optimize-for-size is left out: with it V8 has a "
        f"semi-space of {preset.semi_in_force_mb}M, not {preset.semi_mb}M"
    )
    return [("", said)]


def _lines(preset: Preset, shown: Shown) -> list[tuple[str, str]]:
    from heaptui.runtime.v8 import OUTSIDE_HEAP

    where = f"a file of yours: {shown.source}" if shown.source else "comes with heaptui"
    lines = [
        ("preset", f"{shown.name} ({listing.clean(where, 400)})"),
        ("for", listing.clean(shown.about, 200)),
        ("limit", f"{units.size(shown.limit_bytes)}: {preset.old_mb}M old generation "
         f"+ 3 x {preset.semi_in_force_mb}M semi-space"),
        *_without_flags(preset),
        ("needs", f"a cap of {units.size(shown.cap_bytes)} or more: "
         f"{units.size(OUTSIDE_HEAP)} beside the heap"),
        ("node", f"{shown.node}, found here" if shown.node else "none found; as Node 20 to 24"),
    ]  # fmt: skip
    widest = max(len(one.flag) for one in shown.places)
    for number, one in enumerate(shown.places):
        place = f"{one.flag:<{widest}}  {one.node}"
        inside = "the same" if one.command == one.node else one.command
        lines.append(("flags" if number == 0 else "", f"{place}; in a command's tree: {inside}"))
    for label, texts in (("measured", shown.measured), ("no effect", shown.no_effect)):
        lines += [(label if n == 0 else "", listing.clean(t, 400)) for n, t in enumerate(texts)]
    return lines
