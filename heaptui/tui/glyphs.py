"""The signs of the screen, and their stand-ins where a terminal has only ASCII.

Every state has a sign of its own, so that the table reads without colour.
"""

from __future__ import annotations

from dataclasses import dataclass

from rich.cells import cell_len

from heaptui.model import State


@dataclass(frozen=True, slots=True)
class Glyphs:
    """Each sign is one cell wide.

    `eighths` are the fillings of a bar's last cell from one eighth to a full cell; `spark` the
    heights of a sparkline from the lowest to the full cell.
    """

    running: str = "●"
    waiting: str = "◌"
    draining: str = "◐"
    recycling: str = "↻"
    done: str = "✓"
    failed: str = "✗"
    stopped: str = "⊘"
    lost: str = "?"
    quarantined: str = "▲"
    split: str = "┬"
    alert: str = "▲"
    mark: str = "▌"
    soft: str = "┊"
    peak: str = "╵"
    rule: str = "─"
    cut: str = "…"
    unknown: str = "·"
    eighths: str = "▏▎▍▌▋▊▉█"
    spark: str = "▁▂▃▄▅▆▇█"
    braille: bool = True

    def of(self, state: State) -> str:
        """The sign of a task's state."""
        return getattr(self, _FIELD[state])  # type: ignore[no-any-return]

    def spelled(self, text: str) -> str:
        """`text` in what the terminal can show, cell for cell."""
        if self.braille or text.isascii():
            return text
        return "".join(
            char if char.isascii() else _SPELLED.get(char, "?" * cell_len(char)) for char in text
        )


_SPELLED = dict(zip("…·→←↑↓┊╵┈─│├└┬●", "~.><^v|'--||`Y*", strict=True))

_FIELD: dict[State, str] = {
    State.QUEUED: "waiting",
    State.BACKOFF: "waiting",
    State.STARTING: "running",
    State.RUNNING: "running",
    State.RECYCLING: "recycling",
    State.SPLITTING: "draining",
    State.STOPPING: "draining",
    State.SPLIT: "split",
    State.DONE: "done",
    State.FAILED: "failed",
    State.STOPPED: "stopped",
    State.LOST: "lost",
    State.QUARANTINED: "quarantined",
}

UNICODE = Glyphs()
ASCII = Glyphs(
    running="*",
    waiting="o",
    draining="%",
    recycling="@",
    done="+",
    failed="x",
    stopped="-",
    lost="?",
    quarantined="^",
    split="Y",
    alert="!",
    mark=">",
    soft="|",
    peak="'",
    rule="-",
    cut="~",
    unknown=".",
    eighths="#",
    spark="_.-~=+*#",
    braille=False,
)


def glyphs(*, ascii_only: bool) -> Glyphs:
    return ASCII if ascii_only else UNICODE
