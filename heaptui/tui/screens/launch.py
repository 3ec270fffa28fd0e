"""Launching a task: one form, everything but the command may stay blank."""

from __future__ import annotations

import asyncio
import os
import shlex
from pathlib import Path
from typing import ClassVar

from rich.cells import cell_len
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Input

from heaptui.client import Operator
from heaptui.errors import HeaptuiError
from heaptui.inputs import Inputs
from heaptui.runtime.names import clean_name, infer_kind
from heaptui.runtime.naming_inputs import Named
from heaptui.runtime.naming_inputs import read as read_inputs
from heaptui.runtime.taskfile import NOTHING_SAID, Fallback
from heaptui.tui.cells import cut
from heaptui.tui.launch_form import FIELDS, REMEMBERED, Form, command_words, read_form
from heaptui.tui.lines import Line, Role, one_line, sentence
from heaptui.tui.remembered import Remembered
from heaptui.tui.widgets.dialog import Frame
from heaptui.tui.widgets.lines_view import LinesView
from heaptui.units import duration, short_size

_WIDTH = 72
_LABEL = 9

_ROWS: tuple[tuple[str, ...], ...] = (
    ("command",),
    ("name", "kind"),
    ("cap", "heap", "timeout"),
    ("inputs", "from", "tasks"),
    ("soft", "gc", "lost"),
    ("preset", "preload", "traced"),
    ("retries", "count", "priority"),
    ("cwd",),
)
_LABELS = {"timeout": "time-out", "cwd": "in", "soft": "soft at", "lost": "if lost"}
_BLANK = {
    "command": "a program and its arguments, as in a shell",
    "inputs": "src/**/*.ts",
    "from": "a list",
    "tasks": "a file.md",
    "cap": "host's share",
    "heap": "by the cap",
    "soft": "by policy",
    "gc": "by policy",
    "lost": "by policy",
    "preset": "none",
    "preload": "yes",
    "traced": "0 frames",
    "timeout": "none",
    "count": "1",
    "priority": "0",
}

_KEYS: Line = (
    ("enter", "sky"),
    (" launch   ", "dim"),
    ("tab", "sky"),
    (" next field   ", "dim"),
    ("ctrl+u", "sky"),
    (" clear it   ", "dim"),
    ("esc", "sky"),
    (" cancel", "dim"),
)


def _blank(fallback: Fallback) -> dict[str, str]:
    """What each field means that is left blank."""
    limits = fallback.limits
    blank = _BLANK | {"retries": str(fallback.retries)}
    if limits.cap_bytes is not None:
        blank["cap"] = short_size(limits.cap_bytes)
    if limits.heap_bytes is not None:
        blank["heap"] = short_size(limits.heap_bytes)
    if limits.timeout_s is not None:
        blank["timeout"] = duration(limits.timeout_s)
    return blank


_EXPLAINED = {
    "inputs": "works through paths and patterns: {items} or {slice} in the command",
    "from": "works through a list, an item a line: {items} or {slice} in the command",
    "tasks": "works through the unchecked boxes of a markdown file: {task_file}",
    "soft": "from this size on heaptui collects, checkpoints and recycles it",
    "gc": "garbage collection besides: off, every 5m, at 70% of the heap's limit",
    "lost": "when nobody knows how it ended: retry, or ask",
    "preset": "V8 limits by name: lean, standard, large-context, worker, production",
    "preload": "lets heaptui see the heaps of Node and Python from inside: yes, no",
    "traced": "tracemalloc: frames Python remembers of an allocation; costs CPU",
}
"""What stands below those fields that do not say it themselves."""


class LaunchScreen(ModalScreen[list[str] | None]):
    """Gives the ids of what was queued, None when nothing was. The values last used are in
    `remembered.launch`; they are put there again when a launch succeeds. `fallback` is what a task
    gets that says nothing."""

    DEFAULT_CSS = """
    LaunchScreen { align: center middle; }
    LaunchScreen Frame { width: 76; padding: 1 1; }
    LaunchScreen .row { height: 1; width: 100%; }
    LaunchScreen .label { width: 9; height: 1; }
    LaunchScreen .gap { width: 2; height: 1; }
    LaunchScreen .note { height: 1; width: 100%; }
    LaunchScreen Input {
        width: 1fr; background: $panel; color: $foreground; height: 1; padding: 0 1;
    }
    LaunchScreen Input:focus { background: $panel; background-tint: $foreground 12%; }
    LaunchScreen Input:ansi { background: $background; text-style: underline; }
    LaunchScreen #said { height: auto; width: 100%; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "cancel", id="launch.cancel", show=False),
        Binding("down", "app.focus_next", "next field", id="launch.next", show=False),
        Binding("up", "app.focus_previous", "field before", id="launch.previous", show=False),
    ]

    def __init__(
        self, operator: Operator, remembered: Remembered, fallback: Fallback = NOTHING_SAID
    ) -> None:
        super().__init__()
        self._fallback = fallback
        self._operator = operator
        self._remembered = remembered
        self._here = str(Path.cwd())
        self._sending = False
        self._tried = False
        self._fields = {name: self._field(name) for name in FIELDS}
        self._notes = {row: LinesView(classes="note") for row in _ROWS}
        self._said = LinesView(classes="fits", id="said")

    def _field(self, name: str) -> Input:
        value = self._remembered.launch.get(name, "") if name in REMEMBERED else ""
        blank = _blank(self._fallback).get(name, "")
        return Input(value, placeholder=blank, id=f"field-{name}", compact=True)

    def compose(self) -> ComposeResult:
        rows: list[Vertical | Horizontal | LinesView] = []
        for row in _ROWS:
            cells: list[LinesView | Input] = []
            for index, name in enumerate(row):
                if index:
                    cells.append(LinesView(classes="gap"))
                label = _LABELS.get(name, name)
                cells += [LinesView([((label, "dim"),)], classes="label"), self._fields[name]]
            rows += [Horizontal(*cells, classes="row"), self._notes[row]]
        keys = LinesView([_KEYS], classes="note")
        yield Frame("Launch a task", *rows, self._said, keys)

    def on_mount(self) -> None:
        for each in self._fields.values():
            each.cursor_blink = False
        self._fields["cwd"].placeholder = self._here
        self._fields["command"].focus()
        self._follow()

    @property
    def values(self) -> dict[str, str]:
        """What is in the fields."""
        return {name: each.value for name, each in self._fields.items()}

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._said.show([])
        self._follow()

    def _follow(self) -> None:
        """What the command line means, and what is wrong where something was typed already."""
        values = self.values
        form = read_form(values, self._here, self._fallback)
        try:
            argv = command_words(values["command"])
        except HeaptuiError:
            argv = ()
        self._fields["name"].placeholder = clean_name("", argv) if argv else "by the command"
        self._fields["kind"].placeholder = f"{infer_kind(argv).value}, by the command"
        for row in _ROWS:
            self._notes[row].show([self._note(row, form, argv)])

    def _note(self, row: tuple[str, ...], form: Form, argv: tuple[str, ...]) -> Line:
        for name in row:
            typed = self._fields[name].value.strip() or self._tried
            if name in form.wrong and typed:
                return _below(form.wrong[name], "red")
        if row == ("command",) and argv:
            return _below("runs " + shlex.join(argv), "dim")
        here = self.focused
        about = (here.id or "").removeprefix("field-") if here is not None else ""
        if about in row and about in _EXPLAINED:
            return _below(_EXPLAINED[about], "dim")
        return ()

    @on(events.DescendantFocus)
    def _moved(self) -> None:
        self._follow()

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if self._sending:
            return
        self._tried = True
        form = read_form(self.values, self._here, self._fallback)
        self._follow()
        if form.wrong:
            first = next(name for name in FIELDS if name in form.wrong)
            self._fields[first].focus()
            return
        self._sending = True
        self.run_worker(self._send(form))

    async def _send(self, form: Form) -> None:
        try:
            inputs = await self._inputs(form)
            ids = await self._operator.submit(form.specs, dict(os.environ), inputs)
        except HeaptuiError as error:
            self._said.show(
                [
                    *sentence(one_line(error.what), _WIDTH - 2, "red"),
                    *sentence(one_line(error.remedy), _WIDTH - 2, "amber"),
                ]
            )
            return
        finally:
            self._sending = False
        values = self.values
        self._remembered.launch = {name: values[name] for name in REMEMBERED}
        self.dismiss(ids)

    async def _inputs(self, form: Form) -> list[Inputs]:
        """What the task works through, looked up now; on a thread, because patterns may fit a
        hundred thousand files."""
        if form.named == Named():
            return []
        self._said.show([(("looks up what it works through…", "dim"),)])
        cwd, here = Path(form.specs[0].cwd), Path(self._here)
        inputs = await asyncio.to_thread(read_inputs, form.named, cwd=cwd, base=here)
        self._said.show([])
        return [] if inputs is None else [inputs]

    def action_cancel(self) -> None:
        self.dismiss(None)


def _below(text: str, role: Role) -> Line:
    """One line under a field; a long one begins at the left."""
    shown = cut(one_line(text), _WIDTH)
    indent = _LABEL if cell_len(shown) <= _WIDTH - _LABEL else 0
    return ((" " * indent, "plain"), (shown, role))
