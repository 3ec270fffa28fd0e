"""The table of a proposed division: its title, a line for each child and for each item. Pure."""

from __future__ import annotations

from typing import NamedTuple

from rich.cells import cell_len

from heaptui.inputs import Item, Share, Source, SplitPlan
from heaptui.tui.cells import bar, cut, left, right
from heaptui.tui.glyphs import Glyphs
from heaptui.tui.lines import Line, Role, Span, fitted, joined, one_line, ruled, width_of
from heaptui.tui.splitting.drafting import Draft, kept
from heaptui.tui.splitting.words import (
    NOUNS,
    budget_words,
    item_words,
    strategy_words,
    tokens,
)
from heaptui.units import duration, short_size

_SIGN, _NUMBER, _COUNT, _TOKENS, _MEMORY, _TIME = 3, 4, 9, 7, 8, 6
_BAR_LEAST, _BAR_MOST = 8, 24
_WITH_TIME, _WITH_BAR, _WITH_MEMORY = 90, 70, 56
"""Columns from which there is room for each; the less telling gives way first."""
_TITLE_LEAST, _TITLE_MOST = 12, 44
_ROOMY = 60
"""Cells for title and slice from which the slice has the larger part."""
_RULED = 6
"""Cells of a titled rule that are not its title."""


class _Widths(NamedTuple):
    """Cells of each column, 0: it gave way."""

    title: int
    slice: int
    bar: int
    memory: int
    time: int


def _widths(width: int) -> _Widths:
    time = _TIME if width >= _WITH_TIME else 0
    memory = _MEMORY if width >= _WITH_MEMORY else 0
    drawn = min(_BAR_MOST, max(_BAR_LEAST, width // 10)) if width >= _WITH_BAR else 0
    fixed = _SIGN + _NUMBER + _COUNT + 2 + _TOKENS + (drawn + 2 if drawn else 0) + memory + time + 1
    room = max(0, width - fixed)
    share = 0.5 if room < _ROOMY else 0.45
    title = min(_TITLE_MOST, max(_TITLE_LEAST, int(room * share)))
    return _Widths(title, max(0, room - title), drawn, memory, time)


def title_line(
    plan: SplitPlan, draft: Draft, width: int, glyphs: Glyphs, *, other: str, edited: bool
) -> Line:
    """Whom it divides into how many, and by what; `other` is the key of the next strategy."""
    chosen = sum(bool(kept(share, draft.out)) for share in draft.shares)
    head: list[Span] = [("Split ", "strong"), (f" into {chosen}", "strong")]
    tail: list[Span] = [("edited  ", "sky")] if edited else []
    tail += [("by ", "dim"), (strategy_words(plan), "plain")]
    if len(plan.strategies) > 1:
        tail += [("  ", "plain"), (other, "sky"), (" other", "plain")]
    room = width - _RULED - width_of(tuple(head)) - width_of(tuple(tail)) - 2
    head.insert(1, (cut(one_line(plan.name), max(12, room), glyphs), "strong"))
    over = width_of(tuple(tail)) + 4
    if width_of(tuple(head)) + 4 + over > width:
        return ruled(head, width, glyphs.rule)
    rule = ruled(head, width - over + 1, glyphs.rule)
    return joined((*rule, (" ", "plain"), *tail, (f" {glyphs.rule}", "rule")))


def heading(plan: SplitPlan, width: int) -> Line:
    """Names of the columns, over `share_line`."""
    at = _widths(width)
    noun = f"{NOUNS[plan.source].upper()}S"
    budget = f" OF {budget_words(plan)}" if at.bar else ""
    text = " " * _SIGN + " " * _NUMBER + left("CHILD", at.title) + right(noun, _COUNT)
    text += f"  {left('SLICE', at.slice)}{right('TOKENS', _TOKENS)}"
    text += left(budget, at.bar + 2) if at.bar else ""
    text += right("MEMORY", at.memory) + right("TIME", at.time)
    return fitted(((text, "dim"),), width)


def share_line(
    place: int, words: str, draft: Draft, plan: SplitPlan, width: int, glyphs: Glyphs
) -> Line:
    """One child: what it is to do, how much that is, what that may take. `words` tell its slice
    from the others'."""
    at, share = _widths(width), draft.shares[place]
    items = kept(share, draft.out)
    number, title = f"{place + 1}", _title(share, plan, at.title, glyphs)
    if not items:
        said = left(f"left out: {words}", at.slice + _TOKENS, glyphs)
        counted = right(f"{len(share.items):,}", _COUNT)
        text = f"{' ' * _SIGN}{number:<{_NUMBER}}{title}{counted}  {said}"
        return fitted(((text, "dim"),), width)
    used = sum(item.tokens for item in items)
    over = used > plan.budget_tokens
    sign: Span = (f" {glyphs.alert} ", "red") if over else (f" {glyphs.done} ", "sky")
    of = f"/{len(share.items):,}" if len(items) < len(share.items) else ""
    figure: Role = "red" if over else "plain"
    spans: list[Span] = [
        sign,
        (f"{number:<{_NUMBER}}", "dim"),
        (title, "plain"),
        (right(f"{len(items):,}{of}", _COUNT), "sky" if of else "plain"),
        (f"  {_slice(words, plan, at.slice, glyphs)}", "dim"),
        (right(tokens(used), _TOKENS), figure),
    ]
    if at.bar:
        drawn = bar(at.bar, used, max(1, plan.budget_tokens), glyphs=glyphs)
        spans += [
            (" ", "plain"),
            (drawn.fill, "red" if over else "quantity"),
            (drawn.rest, "plain"),
            (" " if over else glyphs.soft, "dim"),
        ]
    # what it was expected to need was for all of its items
    memory = share.memory_bytes if len(items) == len(share.items) else None
    spans.append((right(short_size(memory), at.memory), "plain"))
    spans.append((right(duration(plan.timeout_s), at.time), "dim"))
    return fitted(joined(spans), width)


def _title(share: Share, plan: SplitPlan, width: int, glyphs: Glyphs) -> str:
    """In exactly `width` cells; where it may be of paths, its end tells it from others."""
    title = one_line(share.title)
    if plan.source is not Source.FILES or cell_len(title) <= width:
        return left(title, width, glyphs)
    head = width // 2
    return left(cut(title, head, glyphs) + _end_of(title, width - head), width, glyphs)


def _slice(words: str, plan: SplitPlan, width: int, glyphs: Glyphs) -> str:
    """In exactly `width` cells; of paths the ends tell more than the beginnings."""
    if plan.source is not Source.FILES or cell_len(words) <= width:
        return left(words, width, glyphs)
    return left(glyphs.cut + _end_of(words, width - 1), width, glyphs)


def _end_of(text: str, width: int) -> str:
    """As much of its end as `width` cells hold."""
    at = max(0, len(text) - width)
    while cell_len(text[at:]) > width:
        at += 1
    return text[at:]


def share_title(plan: SplitPlan, draft: Draft, place: int, width: int, glyphs: Glyphs) -> Line:
    """Whose items are shown."""
    share = draft.shares[place]
    items = kept(share, draft.out)
    used = sum(item.tokens for item in items)
    over = used > plan.budget_tokens
    head: list[Span] = [
        (f"Child {place + 1} of {len(draft.shares)}: ", "dim"),
        (one_line(share.title), "strong"),
        (f"  {tokens(used)}", "red" if over else "plain"),
        (f" of {budget_words(plan)} tokens", "dim"),
    ]
    return ruled([*fitted(tuple(head), min(width - _RULED, width_of(tuple(head))))], width,
                 glyphs.rule)  # fmt: skip


def item_heading(width: int) -> Line:
    """Names of the columns, over `item_line`."""
    room = width - _SIGN - _TOKENS - 2
    return fitted(((" " * _SIGN + left("ITEM", room) + right("TOKENS", _TOKENS), "dim"),), width)


def item_line(
    item: Item, width: int, glyphs: Glyphs, *, out: bool, marked: bool, note: str = ""
) -> Line:
    """One thing that the child works through; `note` is what is known of it besides."""
    room = width - _SIGN - _TOKENS - 2
    sign: Span = (glyphs.mark if marked else " ", "sky")
    state: Span = ("  ", "plain") if out else (f"{glyphs.done} ", "sky")
    words = item_words(item)
    told = "left out" if out else note
    if told:
        words = f"{cut(words, max(8, room - len(told) - 2), glyphs)}  {told}"
    role: Role = "dim" if out else "amber" if note else "plain"
    return fitted(
        joined(
            (
                sign,
                state,
                (left(words, room, glyphs), role),
                (right(tokens(item.tokens), _TOKENS), "dim" if out else "plain"),
            )
        ),
        width,
    )
