"""Whether there is room for a heap snapshot, and what the operator is told about it. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from heaptui.supervisor.estimates import Estimate
from heaptui.units import MIB, duration, size

FITS, RAISE, ASK, REFUSED = "fits", "raise", "ask", "refused"

SAFELY = 2.0
"""Under a cap that stays there is to be room for so many times the estimate: rare heaps take more
than ordinary ones, and a cap that is met ends the task."""

NEAR_CAP = 0.03
_NEAR_LEAST = 8 * MIB
"""This much of a cap is left alone: the reading is a second old, and children may run on."""


@dataclass(frozen=True, slots=True)
class Room:
    """What there is, in bytes; None: nothing bounds it, or it is not known.

    `cap_bytes` is the cap in force, `may_rise` whether it can be raised, `promised_bytes` what
    other snapshots of the task may still take. `available_bytes` is the machine's, without what is
    kept free there and what all other snapshots may still take. `disk_bytes` likewise.
    """

    memory_bytes: int
    cap_bytes: int | None
    may_rise: bool
    promised_bytes: int
    available_bytes: int | None
    disk_bytes: int | None

    @property
    def under_cap(self) -> int | None:
        if self.cap_bytes is None:
            return None
        spared = max(_NEAR_LEAST, round(self.cap_bytes * NEAR_CAP))
        return max(0, self.cap_bytes - spared - self.memory_bytes - self.promised_bytes)


@dataclass(frozen=True, slots=True)
class Judgement:
    """See SnapshotPlan, whose fields these are."""

    verdict: str
    text: str
    reasons: tuple[str, ...]
    raise_to_bytes: int | None = None


def judge(need: Estimate, room: Room, raise_cap: str) -> Judgement:
    """`raise_cap`: ask, always or never (config, [heap])."""
    disk, host, cap = room.disk_bytes, room.available_bytes, room.under_cap
    beside = f"beside the {size(room.memory_bytes)} in use"
    most = f"needs up to {size(need.extra_bytes)} {beside}"
    least = f"needs {size(need.least_extra)} at least {beside}"
    reasons = _reasons(need, room)

    def said(verdict: str, text: str, raise_to: int | None = None) -> Judgement:
        return Judgement(verdict, text, reasons, raise_to)

    if disk is not None and need.least_file > disk:
        return said(REFUSED, f"needs {size(need.least_file)} at least for its file; {_disk(disk)}")
    if host is not None and need.least_extra > host:
        return said(REFUSED, f"{least}; {_host(host)}")
    doubts = []
    if disk is not None and need.file_bytes > disk:
        doubts.append(f"its file may take {size(need.file_bytes)}, and {_disk(disk)}")
    if host is not None and need.extra_bytes > host:
        doubts.append(_host(host))
    raise_to: int | None = None
    if cap is not None and safely(need) > cap:
        left = f"the cap of {size(room.cap_bytes)} leaves {size(cap)}"
        if need.extra_bytes <= cap:
            left = f"in rare cases more, and {left}"
        if room.may_rise and raise_cap != "never":
            raise_to = _raised(need, room)
        elif need.least_extra > cap:
            return said(REFUSED, f"{least}; {left}{_why_not(room, raise_cap)}")
        else:
            doubts.append(left + _why_not(room, raise_cap))
        if raise_to is not None and not doubts:
            verdict, how = (FITS, "is") if raise_cap == "always" else (RAISE, "has to be")
            rise = f"{left}: it {how} raised to {size(raise_to)} meanwhile"
            return said(verdict, f"{most}; {rise}", raise_to)
    if doubts:
        return said(ASK, f"{most}; {'; '.join(doubts)}", raise_to)
    return said(FITS, f"{most}; there is room")


def safely(need: Estimate) -> int:
    """Bytes that must be free under a cap that stays."""
    return min(round(SAFELY * need.extra_bytes), need.utmost_extra)


def _raised(need: Estimate, room: Room) -> int:
    """For the worst there can be, as far as the machine has it: only what is used counts."""
    wanted = need.utmost_extra
    if room.available_bytes is not None:
        wanted = min(wanted, max(need.least_extra, room.available_bytes))
    spared = max(_NEAR_LEAST, round((room.cap_bytes or 0) * NEAR_CAP))
    return max(room.cap_bytes or 0, room.memory_bytes + room.promised_bytes + wanted + spared)


def _why_not(room: Room, raise_cap: str) -> str:
    if room.may_rise and raise_cap == "never":
        return ", and the configuration lets no cap be raised"
    return ", and it cannot be raised"


def _host(left: int) -> str:
    return f"this machine has {size(left)} left for it"


def _disk(left: int) -> str:
    return f"its disk has {size(left)} left for it"


def _reasons(need: Estimate, room: Room) -> tuple[str, ...]:
    lines = [
        f"by {need.basis}",
        f"memory: {size(need.least_extra)} to {size(need.extra_bytes)} beside "
        f"{size(room.memory_bytes)} in use; {size(need.utmost_extra)} at the very worst",
    ]
    if room.cap_bytes is not None:
        promised = (
            f", {size(room.promised_bytes)} promised to another" if room.promised_bytes else ""
        )
        rises = "" if room.may_rise else ", cannot be raised"
        lines.append(f"cap: {size(room.cap_bytes)}{rises}{promised}; leaves {size(room.under_cap)}")
    if room.available_bytes is not None:
        lines.append(f"machine: {size(room.available_bytes)} beside what is kept free")
    if room.disk_bytes is not None:
        lines.append(f"disk: up to {size(need.file_bytes)} of {size(room.disk_bytes)}")
    still = "the program stands still" if need.pauses else "the program goes on after a moment"
    lines.append(f"time: up to {duration(max(1.0, need.seconds))}; {still}")
    return tuple(lines)
