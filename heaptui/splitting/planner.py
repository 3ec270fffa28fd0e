"""A program of the operator's that proposes the shares.

It reads one JSON object from its standard input::

    {"goal": ["codex", "exec", …],            the task's command
     "items": [{"name": "src/a.py", "tokens": 1200}, …],   what is left, in order
     "done": ["src/b.py", …],                 what is not left any more
     "budget_tokens": 20100,                  what one share may hold
     "children_max": 200}

and answers on its standard output, with exit code 0, one JSON object and nothing else::

    {"shares": [{"title": "parser", "items": ["src/a.py", …], "after": [0]}, …]}

Every item is in exactly one share; a share holds at most the budget, or one item that is larger;
`after` are the places, from 0, of the shares that it builds on (absent: none), without a ring. An
answer with anything else in it is not used: strict, so that a misspelt key is not a lost order.

The program is executed as it is configured, never by a shell, in a session of its own and in the
task's directory and environment. What it says on standard error is for the message, should it fail.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from heaptui.errors import Refused, UsageError
from heaptui.inputs import CHILDREN_MAX, Item, Share
from heaptui.output import printable
from heaptui.splitting import agreement, titles
from heaptui.splitting.program import Failed, run
from heaptui.units import count

ANSWER_LEAST = 1 << 20
ANSWER_PER_QUESTION = 4
"""Bytes that an answer may have: it names each item once, whatever JSON makes of the letters."""

_FAULTS = (msgspec.DecodeError, UnicodeDecodeError)


class Offered(Struct, frozen=True):
    """One thing that is left to do."""

    name: str
    tokens: int


class Question(Struct, frozen=True, kw_only=True):
    """What the program is asked."""

    goal: tuple[str, ...]
    items: tuple[Offered, ...]
    done: tuple[str, ...]
    budget_tokens: int
    children_max: int = CHILDREN_MAX


class Proposed(Struct, frozen=True, forbid_unknown_fields=True):
    """One share of the answer."""

    title: str
    items: tuple[str, ...]
    after: tuple[int, ...] = ()


class Answer(Struct, frozen=True, forbid_unknown_fields=True):
    """What the program answers."""

    shares: tuple[Proposed, ...]


async def ask(
    argv: Sequence[str],
    question: Question,
    items: Sequence[Item],
    *,
    env: Mapping[str, str],
    cwd: Path,
    within_s: float,
) -> list[Share]:
    """The shares that `argv` proposes for `items`, which are those of the question.

    Raises:
        Refused: it gives no answer that can be used, with the reason.
    """
    text = msgspec.json.encode(question)
    most = ANSWER_LEAST + ANSWER_PER_QUESTION * len(text)
    try:
        said = await run(argv, text, env=env, cwd=cwd, within_s=within_s, most=most)
        return await asyncio.to_thread(_shares, said, items, question.budget_tokens)
    except Failed as error:
        raise _refused(str(error)) from error
    except _FAULTS as error:
        raise _refused(f"answers no such JSON: {_line(str(error))}") from error
    except OSError as error:
        raise _refused(f"cannot be asked: {error.strerror or error}") from error
    except UsageError as error:
        raise _refused(f"answers what cannot be done. {_line(error.what)}") from error


def _shares(said: bytes, items: Sequence[Item], budget_tokens: int) -> list[Share]:
    """Raises UsageError where they do not hold the items, once, or more than the budget, and one of
    _FAULTS where it is no answer."""
    answer = msgspec.json.decode(said, type=Answer)
    by_name = {item.name: item for item in items}
    shares = [
        Share(
            title=titles.clean(one.title, f"part {place}"),
            items=tuple(by_name.get(name, Item(name, 0)) for name in one.items),
            after=one.after,
        )
        for place, one in enumerate(answer.shares, 1)
    ]
    # none of them is divided: nobody asks for lines
    agreement.check(shares, items, lines_of=lambda _: 0)
    for place, share in enumerate(shares, 1):
        if share.tokens > budget_tokens and len(share.items) > 1:
            raise UsageError(
                f"Share {place} ({share.title}) holds {count(share.tokens)} tokens of "
                f"{count(budget_tokens)}."
            )
    return shares


def _refused(what: str) -> Refused:
    ending = "" if what.endswith(".") else "."
    return Refused(f"The planner {what}{ending}", "Mend it, or split by another strategy.")


def _line(text: str) -> str:
    return " ".join(printable(text[:400]).split())
