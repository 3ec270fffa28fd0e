"""What leaving the app means to the operator, who may have live work in it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaving:
    """`come_back` is the command that opens this app again; `first` the choice that has the cursor
    when `q` asks: `detach`, or `stop` where the work is worth nothing."""

    come_back: str = "heaptui"
    first: str = "detach"


AT_HOME = Leaving()
