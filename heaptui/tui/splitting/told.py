"""What has to be known before a split is confirmed, in lines under the table. Pure."""

from __future__ import annotations

from heaptui.inputs import DEPTH_ASKED, SplitPlan
from heaptui.model import Row
from heaptui.splitting import editing
from heaptui.tui.lines import BLANK, Line, field, flow, indented, joined, one_line, sentence
from heaptui.tui.splitting.drafting import Draft, kept
from heaptui.tui.splitting.words import amount, budget_words, item_words, some, tokens
from heaptui.tui.targets import identity_of
from heaptui.units import duration

_NAMED = 5
"""Items that a line names; the rest is a count."""
_IN_FULL, _LINES = 20, 2
"""Of the child under the cursor: items named, and lines that they take, at most."""
_MARGIN = 3
_SAID_IN_AGAIN = 5
"""Of what is in hand so many stand in the plan's own sentence."""


def told_lines(
    row: Row,
    plan: SplitPlan,
    draft: Draft,
    at: int,
    width: int,
    height: int,
    *,
    insist: str,
) -> list[Line]:
    """At most `height` lines, what must be known last: nearest to the keys. Where there is too
    little room, what only explains gives way. `at` is the child under the cursor, `insist` the key
    that divides a part of a part."""
    room = max(20, width - _MARGIN - 1)
    above, between = [BLANK], [BLANK]
    here = _child(plan, draft, at, room)
    whom, course = sentence(identity_of(row), room, "dim"), _course(plan, room)
    notes = [line for note in plan.notes for line in sentence(one_line(note), room)]
    unusual = _unusual(plan, room)
    musts = [*_left_out(plan, draft, room), *_again(plan, room), *_depth(plan, insist, room)]
    counts = _counts(plan, draft, room)
    blocks = [above, here, between, counts, whom, course, notes, unusual, musts]
    for least in (course, between, here, above, notes, whom, unusual):
        if sum(map(len, blocks)) <= height:
            break
        blocks = [block for block in blocks if block is not least]
    lines = indented((line for block in blocks for line in block), _MARGIN)
    return lines[max(0, len(lines) - height) :] if height > 0 else []


def _counts(plan: SplitPlan, draft: Draft, room: int) -> list[Line]:
    out = len(draft.out)
    total = sum(item.tokens for share in draft.shares for item in kept(share, draft.out))
    done = f"{len(plan.done):,} of {amount(plan.original, plan.source)}"
    fields = [
        field("done already:", done),
        field("left out:", amount(out, plan.source), "red" if out else "plain"),
        joined((*field("total", tokens(total)), (" tokens", "plain"))),
    ]
    return flow(fields, room, gap=3)


def _child(plan: SplitPlan, draft: Draft, at: int, room: int) -> list[Line]:
    """The one under the cursor, in full: columns may have cut it."""
    if at >= len(draft.shares):
        return []
    share = draft.shares[at]
    after = ", ".join(str(place + 1) for place in share.after)
    waits = f"; begins when {after} {'is' if len(share.after) == 1 else 'are'} done" * bool(after)
    head = f"{at + 1} {one_line(share.title)}"
    names = [item_words(item) for item in share.items[:_IN_FULL]]
    count = amount(len(share.items), plan.source)
    tail = waits if count in head else f" ({count}){waits}"
    if len(names) == 1 and names[0] in head:
        return sentence(head + tail, room)[:_LINES]
    lines: list[Line] = []
    # as many of its items as there is room for
    for named in range(len(names), 0, -1):
        rest = len(share.items) - named
        listed = ", ".join(names[:named]) + (f" and {rest:,} more" if rest else "")
        lines = sentence(f"{head}: {listed}{tail}", room)
        if len(lines) <= _LINES:
            break
    return lines[:_LINES]


def _course(plan: SplitPlan, room: int) -> list[Line]:
    """How it goes on, once confirmed."""
    words = []
    if plan.drains:
        held = f" ({some(plan.hand, 3)})" if plan.hand else ""
        words.append(
            f"Its worker drains: within {duration(plan.drain_s)} it finishes what it has in "
            f"hand{held}; that is not divided."
        )
    words.append(
        "The parent waits and joins the results in order. A child is asked for a checkpoint "
        f"after {duration(plan.timeout_s)}, then ended."
    )
    if plan.fixed_tokens:
        words.append(f"Its agent's own prompt takes {tokens(plan.fixed_tokens)} tokens more.")
    return sentence(" ".join(words), room, "dim")


def _unusual(plan: SplitPlan, room: int) -> list[Line]:
    lines: list[Line] = []
    if plan.gone:
        many = "are not there any more" if len(plan.gone) > 1 else "is not there any more"
        text = f"{amount(len(plan.gone), plan.source)} {many}, divided all the same"
        lines += sentence(f"{text}: {some(plan.gone, _NAMED)}", room, "amber")
    if plan.oversized:
        one = len(plan.oversized) == 1
        text = f"{amount(len(plan.oversized), plan.source)} {'is' if one else 'are'} larger than a "
        text += f"child's {budget_words(plan)} tokens and cannot be divided"
        lines += sentence(f"{text}: {some(plan.oversized, _NAMED)}", room, "red")
    return lines


def _left_out(plan: SplitPlan, draft: Draft, room: int) -> list[Line]:
    if not draft.out:
        return []
    names = [name for name in editing.names(draft.shares) if name in draft.out]
    text = f"{amount(len(names), plan.source)} left out, done by nobody: {some(names, _NAMED)}"
    return sentence(text, room, "red")


def _again(plan: SplitPlan, room: int) -> list[Line]:
    lines = sentence(one_line(plan.again), room, "amber") if plan.again else []
    if plan.again and len(plan.hand) > _SAID_IN_AGAIN:
        lines += sentence(f"in hand are {some(plan.hand, 4 * _NAMED)}", room, "amber")
    return lines


def _depth(plan: SplitPlan, insist: str, room: int) -> list[Line]:
    if plan.depth <= DEPTH_ASKED:
        return []
    text = (
        f"It is a part of a part already: what is split so often is rarely too large. {insist} "
        "splits it all the same."
    )
    return sentence(text, room, "amber")
