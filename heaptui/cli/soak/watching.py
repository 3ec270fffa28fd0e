"""What heaptui itself takes while the soak runs, measured from outside."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import psutil
from msgspec import Struct

from heaptui.cli.soak.place import Place
from heaptui.errors import HeaptuiError

_EVERY_LEAST_S, _EVERY_MOST_S, _LOOKS = 0.5, 5.0, 300
_ANSWER_WITHIN_S = 2.0


class Look(Struct, frozen=True, kw_only=True):
    """At `at_s` seconds after the beginning: resident bytes by pid, None where there was none."""

    at_s: float
    supervisor_pid: int | None
    supervisor_bytes: int | None
    warden_pid: int | None
    warden_bytes: int | None


class Watched:
    """Every look so far."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._pids: tuple[int | None, int | None] = (None, None)
        self.looks: list[Look] = []

    async def keep(self, began: float, seconds: float) -> None:
        """Until cancelled; `began` is the soak's monotonic beginning, `seconds` its length."""
        every = min(_EVERY_MOST_S, max(_EVERY_LEAST_S, seconds / _LOOKS))
        async with self._place.client("soak: watching") as client:
            while True:
                try:
                    async with asyncio.timeout(_ANSWER_WITHIN_S):
                        pong = await client.ping()
                    self._pids = (pong.pid, pong.warden_pid)
                except (HeaptuiError, TimeoutError):
                    # stopped or being replaced; whoever was there last may be there still
                    pass
                supervisor, warden = self._pids
                self.looks.append(
                    Look(
                        at_s=time.monotonic() - began,
                        supervisor_pid=supervisor,
                        supervisor_bytes=_resident(supervisor),
                        warden_pid=warden,
                        warden_bytes=_resident(warden),
                    )
                )
                await asyncio.sleep(every)


def _resident(pid: int | None) -> int | None:
    try:
        return None if pid is None else int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return None


def longest_life(looks: Sequence[Look]) -> list[Look]:
    """The looks at the supervisor that was watched longest: memory of different processes says
    nothing about growth."""
    lives: dict[int, list[Look]] = {}
    for look in looks:
        if look.supervisor_pid is not None and look.supervisor_bytes:
            lives.setdefault(look.supervisor_pid, []).append(look)
    return max(lives.values(), key=lambda life: life[-1].at_s - life[0].at_s, default=[])
