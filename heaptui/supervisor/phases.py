"""Who follows a command while a worker is at it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from heaptui.engine.base import Working

_Key = tuple[str, int, str]


class Phases:
    """By task, process and verb; the latest follower is the one who hears."""

    def __init__(self) -> None:
        self._followers: dict[_Key, Callable[[Working], None]] = {}

    @contextmanager
    def followed(
        self, task_id: str, pid: int, verb: str, heard: Callable[[Working], None]
    ) -> Iterator[None]:
        """For the length of the block."""
        key = (task_id, pid, verb)
        self._followers[key] = heard
        try:
            yield
        finally:
            if self._followers.get(key) is heard:
                del self._followers[key]

    def heard(self, event: Working) -> None:
        """What the engine says of a command."""
        follower = self._followers.get((event.task_id, event.pid, event.verb))
        if follower is not None:
            follower(event)
