"""The page that shows how a task would be divided. What tasks and files are called is made
harmless."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from heaptui.cli.listing import clean
from heaptui.cli.tables import Column, put_table
from heaptui.inputs import DEPTH_ASKED, Item, SplitPlan
from heaptui.tui.splitting.words import amount, slices_words, strategy_words, tokens
from heaptui.units import duration, short_size

_NAMED = 20
"""Items that are listed one by one."""
_COLUMNS = (
    Column("N", right=True),
    Column("CHILD", least=12),
    Column("ITEMS", right=True),
    Column("SLICE", least=12, leaves=3),
    Column("TOKENS", right=True),
    Column("MEMORY", right=True),
    Column("TIME", right=True, leaves=1),
    Column("AFTER", right=True, leaves=2),
)


def put_plan(plan: SplitPlan, timeout_s: float) -> None:
    """Prints it on stdout; each child ends after `timeout_s`."""
    ordered = any(share.after for share in plan.shares)
    slices = slices_words([share.items for share in plan.shares], plan.source)
    rows = [
        (
            str(place),
            clean(share.title, 60),
            f"{len(share.items):,}",
            clean(words, 400),
            tokens(share.tokens),
            short_size(share.memory_bytes),
            duration(timeout_s),
            *([", ".join(str(before + 1) for before in share.after)] if ordered else []),
        )
        for place, (share, words) in enumerate(zip(plan.shares, slices, strict=True), 1)
    ]
    where = f"attempt {plan.attempt}" if plan.attempt else "not begun"
    print(
        f"{clean(plan.name)} ({plan.task_id}, {where}) into {len(plan.shares)} "
        f"by {clean(strategy_words(plan))}"
    )
    put_table(_COLUMNS if ordered else _COLUMNS[:-1], rows)
    for line in _facts(plan):
        print(line)


def _facts(plan: SplitPlan) -> Iterator[str]:
    total = sum(share.tokens for share in plan.shares)
    fixed = f", and its agent's own prompt {tokens(plan.fixed_tokens)}" if plan.fixed_tokens else ""
    yield f"tokens     {tokens(total)} in all; a child's slice takes at most " + (
        f"{tokens(plan.budget_tokens)}{fixed}"
    )
    over = sum(share.tokens > plan.budget_tokens for share in plan.shares)
    if over:
        yield f"over       {over} of the children would take more than that"
    done = f"{len(plan.done):,} of {amount(plan.original, plan.source)}"
    yield f"done       {done}, left out; left over: {_left_over(plan)}"
    if len(plan.strategies) > 1:
        others = (name for name in plan.strategies if name != plan.strategy)
        yield f"otherwise  --strategy {clean(', '.join(others), 200)}"
    if plan.drains:
        within = duration(plan.drain_s)
        yield f"worker     finishes what it has in hand within {within}, and ends"
        yield from _listed("in hand, not divided", plan.hand, of=plan)
    if plan.again:
        yield f"again      {clean(plan.again, 1000)}"
        yield from _listed("in hand, may be done again", plan.hand, of=plan)
    yield from _listed("not there any more, divided all the same", plan.gone, of=plan)
    yield from _listed("larger than one child's budget", plan.oversized, of=plan)
    if plan.depth > DEPTH_ASKED:
        yield "depth      it is a part of a part: --insist divides it all the same"
    for note in plan.notes:
        yield f"note       {clean(note, 400)}"


def _left_over(plan: SplitPlan) -> int:
    """What would be nobody's: none, or the plan is wrong."""
    named = {_whole(item) for share in plan.shares for item in share.items}
    return plan.original - len(plan.done) - len(named)


def _whole(item: Item) -> tuple[str, str, int]:
    return item.of or item.name, item.under, item.nth


def _listed(what: str, names: Sequence[str], *, of: SplitPlan) -> Iterator[str]:
    if not names:
        return
    yield f"{what}: {amount(len(names), of.source)}"
    for name in names[:_NAMED]:
        yield f"  {clean(name, 400)}"
    if len(names) > _NAMED:
        yield f"  and {len(names) - _NAMED:,} more; --dry-run --json lists all"
