"""What the app remembers between runs, in the state directory's app.json (0600)."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import msgspec
from msgspec import Struct, field


class _Values(Struct, kw_only=True):
    """The file's shape. Unknown fields of a newer version are ignored."""

    order: str = "danger"
    reverse: bool = False
    tree: bool = True
    theme: str | None = None
    launch: dict[str, str] = field(default_factory=dict)


class Remembered:
    """`order` and `reverse` of the table, whether it is a `tree`, `theme`, and the last values of
    the `launch` dialog by field name. Assign, then `save`.

    `path` None keeps it in memory only.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        values = _read(path) if path is not None else _Values()
        self.order = values.order
        self.reverse = values.reverse
        self.tree = values.tree
        self.theme = values.theme
        self.launch = values.launch

    def save(self) -> None:
        """Replaces the file in one step.

        Raises:
            OSError: the state directory cannot be written.
        """
        if self._path is None:
            return
        values = _Values(
            order=self.order,
            reverse=self.reverse,
            tree=self.tree,
            theme=self.theme,
            launch=self.launch,
        )
        # mkstemp gives 0600
        handle, name = tempfile.mkstemp(dir=self._path.parent, prefix=".app-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(msgspec.json.format(msgspec.json.encode(values), indent=2))
            Path(name).replace(self._path)
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise


def _read(path: Path) -> _Values:
    """A missing, unreadable or damaged file is the same as none: these are conveniences."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Values)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return _Values()
