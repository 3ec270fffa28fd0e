"""The settings in force against this machine, as `heaptui doctor` says them."""

from __future__ import annotations

import os
from pathlib import Path

from msgspec import Struct

from heaptui import units
from heaptui.config import AdmissionConfig, AlertsConfig, PolicyConfig
from heaptui.model import HostSample


class Finding(Struct, frozen=True, kw_only=True):
    """One thing looked at. `level` is `ok`, `note` (works, could be better) or `bad`."""

    topic: str
    level: str
    found: str
    meaning: str = ""
    more: str = ""


def policy_in_force(config: PolicyConfig) -> Finding:
    """What heaptui does about memory, and where it begins."""
    acts = config.mode == "act"
    soft = "no soft limit" if config.soft == "off" else f"soft limit {config.soft} of the cap"
    steps = ", ".join(config.steps) or "no step"
    others = [f"{kind}: soft {own.soft}" for kind, own in config.kinds.items() if own.soft]
    return Finding(
        topic="policy",
        level="ok" if acts else "note",
        found=f"{config.mode}; {'; '.join((soft, *others))} or {config.ahead} ahead of it: {steps}",
        meaning="" if acts else "It only says what it would do: nothing is saved before its cap.",
        more="" if acts else '[policy] mode = "act" in the configuration.',
    )


def room(config: AdmissionConfig, host: HostSample) -> Finding:
    """What tasks may take together, against what this machine has."""
    total, available = host.mem_total_bytes, host.mem_available_bytes
    reserve, budget = config.reserve_bytes(total), config.budget_bytes
    given = "no budget" if budget is None else f"budget {units.size(budget)}"
    found = f"{given}, reserve {units.size(reserve)} of {units.size(total)}"
    if reserve >= total:
        return Finding(
            topic="admission",
            level="bad",
            found=found,
            meaning="The reserve is all this machine has: no task would ever start.",
            more="Lower [admission] reserve.",
        )
    if budget is not None and budget > total - reserve:
        return Finding(
            topic="admission",
            level="note",
            found=found,
            meaning="The budget is more than this machine has beside its reserve: tasks wait for "
            "what is available instead.",
            more=f"[admission] budget of {units.size(total - reserve)} at most.",
        )
    now = units.size(max(0, min(available - reserve, budget or available)))
    pressure = (
        "pressure is not known here"
        if host.pressure is None
        else f"waits above {config.pressure:g} % pressure"
    )
    return Finding(topic="admission", level="ok", found=f"{found}: {now} for tasks now; {pressure}")


def alerting(config: AlertsConfig) -> Finding:
    """Who hears of an alert, and whether the hook can be run."""
    if not config.hook:
        return Finding(topic="alerts", level="ok", found=f"on the screen ({config.bell}); no hook")
    hook = Path(config.hook[0])
    found = f"on the screen ({config.bell}); hook {hook}"
    if not hook.is_file():
        wrong = "is not there" if not hook.exists() else "is no file"
    elif not os.access(hook, os.X_OK):
        wrong = "may not be executed by this user"
    else:
        return Finding(topic="alerts", level="ok", found=found)
    return Finding(
        topic="alerts",
        level="bad",
        found=f"{found}, which {wrong}",
        meaning="Whoever it should call does not hear of an alert.",
        more=f"chmod +x {hook}" if hook.is_file() else "Mend [alerts] hook.",
    )
