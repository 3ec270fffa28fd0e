"""What a row's line depends on besides the row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from heaptui.tui.glyphs import UNICODE, Glyphs
from heaptui.tui.keymap import BINDINGS
from heaptui.tui.keys import first_keys
from heaptui.tui.widgets.columns import Layout

_KEYS = first_keys(BINDINGS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """`now`: seconds since the epoch; `keys`: the key of each action by its id."""

    layout: Layout
    now: float
    glyphs: Glyphs = UNICODE
    keys: Mapping[str, str] = field(default_factory=lambda: _KEYS)
