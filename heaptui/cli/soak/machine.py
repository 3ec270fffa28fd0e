"""What a soak ran on."""

from __future__ import annotations

import os
import platform

import psutil
from msgspec import Struct

from heaptui.cli.soak.disk import SIZE_BYTES
from heaptui.cli.soak.running import Outcome
from heaptui.units import size


class Machine(Struct, frozen=True, kw_only=True):
    """What it ran on. `disk`: where the state lay."""

    cores: int
    memory_bytes: int
    system: str
    python: str
    means: str
    disk: str
    node: bool


def machine(outcome: Outcome) -> Machine:
    """The one that this process runs on."""
    small = outcome.no_disk is None
    return Machine(
        cores=os.cpu_count() or 1,
        memory_bytes=psutil.virtual_memory().total,
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        means=outcome.means,
        disk=f"an ext4 of {size(SIZE_BYTES)} in a file, which can be filled"
        if small
        else "the usual disk",
        node=outcome.node,
    )
