"""Whether there is room for a heap snapshot, and what the operator is told about it. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from heaptui.supervisor.estimates import Estimate
from heaptui.units import MIB, duration, size

FITS, RAISE, ASK, REFUSED = "fits", "raise", "ask", "refused"

SAFELY = 2.0
"""Under a cap that stays there is to be room for so many times the estimate: rare heaps take more
than ordinary ones, and a cap that is met ends the task."""

RAISE_RESERVE = 0.25
"""Of the machine's memory: what a raised cap leaves available if all of it is used. A cap is there
for the neighbours; one that is raised to nearly all there is protects nobody, and the page cache of
all the others, which counts as available, goes first."""

NEAR_CAP = 0.03
_NEAR_LEAST = 8 * MIB
"""This much of a cap is left alone: the reading is a second old, and children may run on."""


@dataclass(frozen=True, slots=True)
class Room:
    """What there is, in bytes; None: nothing bounds it, or it is not known.

    `cap_bytes` is the cap in force, `may_rise` whether it can be raised, `promised_bytes` what
    other snapshots of the task may still take. Of the machine's `total_bytes` are
    left, without what is kept free and what all other snapshots may still take, `available_bytes`;
    `raisable_bytes` of them may be used under a raised cap. `disk_bytes` likewise.
    """

    memory_bytes: int
    cap_bytes: int | None
    may_rise: bool
    promised_bytes: int
    total_bytes: int | None
    available_bytes: int | None
    raisable_bytes: int | None
    disk_bytes: int | None

    @property
    def under_cap(self) -> int | None:
        if self.cap_bytes is None:
            return None
        return max(0, self.cap_bytes - self.spared - self.memory_bytes - self.promised_bytes)

    @property
    def spared(self) -> int:
        return max(_NEAR_LEAST, round((self.cap_bytes or 0) * NEAR_CAP))


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
        return said(REFUSED, f"{least}; {_host(room, host)}")
    doubts = []
    if disk is not None and need.file_bytes > disk:
        doubts.append(f"its file may take {size(need.file_bytes)}, and {_disk(disk)}")
    if host is not None and need.extra_bytes > host:
        doubts.append(_host(room, host))
    raise_to: int | None = None
    if cap is not None and safely(need) > cap:
        left = f"the cap of {size(room.cap_bytes)} leaves {size(cap)}"
        most = _both(need, most)
        if not room.may_rise or raise_cap == "never":
            why_not = _why_not(room, raise_cap)
        else:
            raise_to = _raised(need, room)
            why_not = _too_little(room, raise_to)
        if raise_to is None and need.least_extra > cap:
            return said(REFUSED, f"{least}; {left}{why_not}")
        if raise_to is not None and not doubts and _has_the_worst(need, room):
            verdict, how = (FITS, "is") if raise_cap == "always" else (RAISE, "has to be")
            rise = f"{left}: it {how} raised to {size(raise_to)}{_of(room)} meanwhile"
            return said(verdict, f"{most}; {rise}", raise_to)
        if raise_to is None or not _has_the_worst(need, room):
            doubts.append(left + why_not)
    if doubts:
        return said(ASK, f"{most}; {'; '.join(doubts)}", raise_to)
    return said(FITS, f"{most}; there is room")


def safely(need: Estimate) -> int:
    """Bytes that must be free under a cap that stays."""
    return min(max(round(SAFELY * need.extra_bytes), need.unseen_extra), need.utmost_extra)


def _both(need: Estimate, most: str) -> str:
    if need.utmost_extra <= need.extra_bytes:
        return most
    return f"usually {most}, in rare cases ({need.rare}) up to {size(need.utmost_extra)}"


def _has_the_worst(need: Estimate, room: Room) -> bool:
    """Whether the machine has what the worst heap would take, beside what stays available."""
    return room.raisable_bytes is None or room.raisable_bytes >= need.utmost_extra + room.spared


def _raised(need: Estimate, room: Room) -> int | None:
    """The cap for the worst there can be, as far as the machine has it; None: it has no more than
    there is under the cap, or not what is needed in any case."""
    growth = need.utmost_extra + room.spared
    if room.raisable_bytes is not None:
        growth = min(growth, room.raisable_bytes)
    cap = room.memory_bytes + room.promised_bytes + growth
    if growth < need.least_extra or cap <= (room.cap_bytes or 0):
        return None
    return cap


def _too_little(room: Room, raise_to: int | None) -> str:
    if raise_to is None:
        return (
            f", and it cannot be raised: a quarter of this machine's {size(room.total_bytes)} stays"
            " available"
        )
    return (
        f"; raised to {size(raise_to)}{_of(room)}, of which a quarter stays available, it may "
        "still be killed at that cap; its neighbours are safe"
    )


def _why_not(room: Room, raise_cap: str) -> str:
    if room.may_rise and raise_cap == "never":
        return ", and the configuration lets no cap be raised"
    return ", and it cannot be raised"


def _host(room: Room, left: int) -> str:
    of = "" if room.total_bytes is None else f" of {size(room.total_bytes)}"
    return f"this machine has {size(left)}{of} left for it"


def _of(room: Room) -> str:
    return "" if room.total_bytes is None else f" of this machine's {size(room.total_bytes)}"


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
        lines.append(
            f"machine: {size(room.available_bytes)} of {size(room.total_bytes)} beside what is "
            f"kept free; {size(room.raisable_bytes)} under a raised cap"
        )
    if room.disk_bytes is not None:
        lines.append(f"disk: up to {size(need.file_bytes)} of {size(room.disk_bytes)}")
    still = "the program stands still" if need.pauses else "the program goes on after a moment"
    lines.append(f"time: up to {duration(max(1.0, need.seconds))}; {still}")
    return tuple(lines)
