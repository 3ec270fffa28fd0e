"""Where each flag of a preset goes, for one Node and one kind of task."""

from __future__ import annotations

from msgspec import Struct

from heaptui.runtime import v8
from heaptui.runtime.node import NodeFacts
from heaptui.runtime.presets import Preset


class FlagPlace(Struct, frozen=True):
    """One flag; `node` for tasks of kind node, `command` for Node programs inside a command:
    NODE_OPTIONS, argv, or left out."""

    flag: str
    node: str
    command: str


NODE_OPTIONS, ARGV, LEFT_OUT = "NODE_OPTIONS", "argv", "left out"


def places(preset: Preset, told: NodeFacts | None) -> list[FlagPlace]:
    """Its flags in their order; `told` None: as Node 20 to 24 take them."""
    accepted = {v8.OLD, v8.SEMI} if told is None else set(told.accepted)
    found = []
    for flag in preset.all_flags():
        by_environment = v8.flag_name(flag) in accepted
        heap = v8.flag_name(flag) in (v8.OLD, v8.SEMI)
        found.append(
            FlagPlace(
                flag,
                NODE_OPTIONS if by_environment else ARGV,
                NODE_OPTIONS if heap else LEFT_OUT,
            )
        )
    return found
