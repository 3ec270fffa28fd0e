"""The environments in which tasks were submitted, kept for later attempts.

Each distinct one is one file, 0600, named by its contents: a thousand tasks from one shell share
it. It is deleted when the last task that was submitted with it is.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections import OrderedDict
from collections.abc import Collection
from pathlib import Path

import msgspec

from heaptui.errors import Refused, StorageTrouble
from heaptui.paths import private

_IN_MEMORY = 8
_SUFFIX = ".json"


class Environments:
    """Over one directory. The latest few are held in memory as well."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._held: OrderedDict[str, dict[str, str]] = OrderedDict()

    def keep(self, variables: dict[str, str]) -> str:
        """Stores an environment; its key.

        Raises:
            StorageTrouble: it cannot be written.
        """
        data = msgspec.json.encode(variables, order="deterministic")
        key = hashlib.sha256(data).hexdigest()[:32]
        target = self._path(key)
        try:
            if key not in self._held or not target.exists():
                private(self._directory)
                _replace(target, data)
        except OSError as error:
            raise StorageTrouble(
                f"The environment cannot be stored: {error.strerror or error}.",
                "Free space in the state directory; nothing was queued.",
            ) from error
        self._hold(key, variables)
        return key

    async def get(self, key: str) -> dict[str, str]:
        """The environment of that key.

        Raises:
            Refused: it is gone or damaged.
        """
        held = self._held.get(key)
        if held is not None:
            return held
        try:
            data = await asyncio.to_thread(self._path(key).read_bytes)
            variables = msgspec.json.decode(data, type=dict[str, str])
        except (OSError, msgspec.DecodeError) as error:
            raise Refused(
                f"The environment this task was submitted in cannot be read: {error}.",
                "Submit the task again from its shell.",
            ) from error
        self._hold(key, variables)
        return variables

    def keep_only(self, keys: Collection[str]) -> None:
        """Deletes every other one."""
        for key in [key for key in self._held if key not in keys]:
            del self._held[key]
        for path in self._directory.glob(f"*{_SUFFIX}"):
            if path.stem not in keys:
                path.unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self._directory / f"{key}{_SUFFIX}"

    def _hold(self, key: str, variables: dict[str, str]) -> None:
        self._held[key] = variables
        self._held.move_to_end(key)
        while len(self._held) > _IN_MEMORY:
            self._held.popitem(last=False)


def _replace(target: Path, data: bytes) -> None:
    """In one step: a reader never meets half of it."""
    draft = target.with_suffix(".new")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
    draft.replace(target)
