"""A place in the source."""

from __future__ import annotations

from dataclasses import dataclass

NAME_MOST = 120
"""Characters of a function's name that are shown."""


@dataclass(slots=True, frozen=True)
class Place:
    """Where something stands in the source. `line` counts from 1. `module`: it is not in any
    function, but in the module itself."""

    function: str | None = None
    file: str | None = None
    line: int | None = None
    module: bool = False

    def __str__(self) -> str:
        """`function (file:line)`, as far as it is known."""
        where = self.where
        if self.function:
            return f"{self.function} ({where})" if where else self.function
        return where

    @property
    def where(self) -> str:
        return f"{self.file}:{self.line}" if self.file and self.line else self.file or ""


NOWHERE = Place()
