"""What every command is given: where the state is, and the operator's settings."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from heaptui.errors import NoSuchTask, UsageError
from heaptui.paths import StateDir, config_file

if TYPE_CHECKING:
    from heaptui.client import Client
    from heaptui.config import Config

# every command imports this: what only some need is imported where it is needed

T = TypeVar("T")


@dataclass(slots=True)
class Context:
    """The command line's global options."""

    state_root: Path
    config_path: Path | None = None
    theme: str | None = None
    ascii_only: bool = False
    slow: bool = False
    policy: str | None = None

    def state(self) -> StateDir:
        """The state directory, made where it is missing."""
        return StateDir(self.state_root).prepare()

    def config(self) -> Config:
        """The settings in force.

        Raises:
            UsageError: the file cannot be understood, or was named and is not there.
        """
        from heaptui.config import load

        if self.config_path is not None and not self.config_path.exists():
            raise UsageError(
                f"The configuration {self.config_path} does not exist.",
                "`heaptui config` prints an example; without --config, defaults will do.",
            )
        return load(self.config_path or config_file())

    def client(self, name: str, patience_s: float | None = None) -> Client:
        """A connection that brings up a supervisor where none serves; `patience_s`: by default as
        long as one takes to hand over."""
        from heaptui.cli.starting import ensure_served
        from heaptui.client import HAND_OVER_S, Client

        state = self.state()
        return Client(
            state,
            name,
            HAND_OVER_S if patience_s is None else patience_s,
            revive=lambda: ensure_served(state, self.config_path),
        )

    def ask(self, question: Callable[[Client], Awaitable[T]], name: str) -> T:
        """Asks the supervisor of the state directory, starting one where none serves: what is
        known about ended tasks is in the store, which only a supervisor opens."""
        import asyncio

        async def asked() -> T:
            async with self.client(name) as client:
                return await question(client)

        return asyncio.run(asked())

    def used(self) -> bool:
        """Whether anything was ever run here."""
        return self.state().database.exists()

    def ask_about(self, question: Callable[[Client], Awaitable[T]], name: str) -> T:
        """`ask` about tasks there are.

        Raises:
            NoSuchTask: nothing was ever run here.
        """
        if not self.used():
            raise NoSuchTask(
                f"Nothing has run in {self.state().root} yet.",
                "Start something: `heaptui run -- COMMAND`, or open the screen with `heaptui`.",
            )
        return self.ask(question, name)
