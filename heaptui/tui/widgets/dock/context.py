"""The context pane: how full the context of the task's model is, else what would tell that."""

from __future__ import annotations

from heaptui.model import Row
from heaptui.tui.cells import bar
from heaptui.tui.context import context_role, context_share
from heaptui.tui.glyphs import UNICODE, Glyphs
from heaptui.tui.lines import BLANK, Line, Span, indented, sentence
from heaptui.tui.widgets.dock.absent import paragraphs

_BAR_MAX = 40


def context_lines(row: Row, width: int, glyphs: Glyphs = UNICODE) -> list[Line]:
    """Tokens of the limit, as the worker told them at its model's latest call."""
    tokens, limit = row.context_tokens, row.context_limit
    if tokens is None:
        return paragraphs(
            width,
            "This task reports no context: it says nothing about tokens.",
            "A worker that tells how full its context is fills this pane: from Python "
            "`worker.context(used, limit)`, from anything else a `context` message.",
        )
    share, role = context_share(row), context_role(row)
    room = max(20, min(width - 4, 76))
    figure: list[Span] = [(f"{tokens:,}", "strong")]
    if share is None or limit is None:
        lines: list[Line] = [(*figure, (" tokens at its model's latest call", "dim"))]
        lines += sentence("It does not tell the limit, so nobody can say what share that is.", room)
        return indented(lines, 2)
    figure += [(f" of {limit:,} tokens", "plain"), (f"   {share:.0%}", role)]
    drawn = bar(min(_BAR_MAX, room), tokens, limit, glyphs=glyphs)
    left = max(0, limit - tokens)
    lines = [tuple(figure), ((drawn.fill, role), (drawn.rest, "dim")), BLANK]
    lines += sentence(f"{left:,} are left, as its worker told at its model's latest call.", room)
    return indented(lines, 2)
