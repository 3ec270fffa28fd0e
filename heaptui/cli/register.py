"""The commands by name, and where each is: one is imported when it is named, all of them only to be
listed. What a command imports is what an operator waits for, and what others need is nothing to it.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from importlib import import_module

import click

PLACES = {
    "config": "commands:config",
    "demo": "demo.command:demo",
    "dispatch": "commands:dispatch",
    "doctor": "doctor:doctor",
    "events": "events:events",
    "findings": "hunting:findings",
    "forget": "commands:forget",
    "gc": "heaps:collect",
    "heap": "heap:heap",
    "history": "commands:history",
    "hunt": "hunting:hunt",
    "inspect": "inspecting:inspect",
    "kill": "commands:kill",
    "logs": "commands:logs",
    "mcp": "mcp:mcp",
    "measures": "measures:measures",
    "metrics": "measures:metrics",
    "presets": "presets:presets",
    "ps": "commands:ps",
    "raise": "raising:raise_",
    "recycle": "recycling:recycle",
    "result": "results:result",
    "retry": "commands:retry",
    "run": "submitting:run",
    "serve": "commands:serve",
    "show": "commands:show",
    "snapshot": "heaps:snapshot",
    "snapshots": "heaps:snapshots",
    "soak": "soak.command:soak",
    "split": "splitting:split",
    "stop": "commands:stop",
    "tool": "tools:tool",
}
"""`module:attribute`, as entry points are written, below heaptui.cli."""


class Commands(MutableMapping[str, click.Command]):
    """What a click group looks its commands up in; those of PLACES until others are put there."""

    def __init__(self) -> None:
        self._found: dict[str, click.Command | str] = dict(PLACES)

    def __getitem__(self, name: str) -> click.Command:
        found = self._found[name]
        if isinstance(found, str):
            found = self._found[name] = _imported(found)
        return found

    def __setitem__(self, name: str, command: click.Command) -> None:
        self._found[name] = command

    def __delitem__(self, name: str) -> None:
        del self._found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)


def _imported(place: str) -> click.Command:
    module, _, attribute = place.partition(":")
    command: click.Command = getattr(import_module(f"heaptui.cli.{module}"), attribute)
    return command
