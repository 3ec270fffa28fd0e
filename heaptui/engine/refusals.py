"""Processes, and tasks, that are not listened to for a while."""

from __future__ import annotations

from heaptui.model import Identity

FOR_S = 60.0
SEVERAL = 3
"""When so many processes of a task misbehaved, the task as a whole is not listened to."""

_REMEMBERED = 1024


class Refusals:
    """`now` is in seconds of any clock that does not jump."""

    def __init__(self) -> None:
        self._until: dict[Identity, tuple[str, float]] = {}

    def add(self, task_id: str, identity: Identity, now: float) -> bool:
        """Refuses a process for `FOR_S` seconds; whether its whole task is refused with it."""
        current = [(who, entry) for who, entry in self._until.items() if entry[1] > now]
        self._until = dict(current[-_REMEMBERED:])
        self._until[identity] = (task_id, now + FOR_S)
        return self._of(task_id, now) >= SEVERAL

    def holds(self, task_id: str, identity: Identity, now: float) -> bool:
        entry = self._until.get(identity)
        refused = entry is not None and entry[1] > now
        return refused or self._of(task_id, now) >= SEVERAL

    def _of(self, task_id: str, now: float) -> int:
        return sum(whose == task_id and until > now for whose, until in self._until.values())
