"""`heaptui events`: what happened, to tasks and to the machine, and what happens from now on."""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import Iterable, Sequence

import click
import msgspec

from heaptui.cli import listing
from heaptui.cli.context import Context
from heaptui.cli.following import FOLLOWED_S
from heaptui.client import Client, Down
from heaptui.model import Alert, Event
from heaptui.protocol import Change, Picture

_LOSSY = 100
"""So many events in one change: there may have been more than are kept for one who is slow."""

_GAP_MOST = 10_000
_TOLD_MOST = 20_000
_LEFT_MOST = 1000
_KIND = 12


@click.command()
@click.argument("tasks", nargs=-1, metavar="[TASK]...")
@click.option("-f", "--follow", "following", is_flag=True, help="Go on with what happens next.")
@click.option(
    "-n",
    "--limit",
    default=50,
    show_default=True,
    type=click.IntRange(0, _GAP_MOST),
    help="How many of the latest.",
)
@click.option("--json", "json_", is_flag=True, help="Print JSON, a line for each.")
@click.pass_obj
def events(
    context: Context, tasks: Sequence[str], following: bool, limit: int, json_: bool
) -> None:
    """Print what happened: every step of every task, and the alerts.

    Without TASK of all tasks and of the machine itself. With --follow it ends on Ctrl-C.
    """
    if tasks:
        context.ask_about(lambda client: client.ping(), "events")
    elif not following and not context.used():
        print("nothing has happened yet", file=sys.stderr)
        return

    async def tell() -> None:
        async with context.client("events", FOLLOWED_S) as client:
            ids = [(await client.show(task, 0)).row.id for task in tasks]
            teller = Teller(client, ids, json_=json_)
            if following:
                await teller.follow(limit)
            else:
                await teller.catch_up(limit)

    asyncio.run(tell())


class Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One event as JSON. `id` to `actions` are an alert's, as far as it is known."""

    at: float
    task_id: str | None
    name: str | None
    attempt: int | None
    kind: str
    text: str
    id: str | None = None
    level: str | None = None
    meaning: str | None = None
    actions: tuple[str, ...] | None = None


class Teller:
    """Prints each event once, whichever way it comes: from the store, or with a change of what is
    watched. `ids` are the tasks that matter, none: everything."""

    def __init__(self, client: Client, ids: Sequence[str], *, json_: bool) -> None:
        self._client = client
        self._ids = list(dict.fromkeys(ids))
        self._json = json_
        self._names: dict[str, str] = {}
        self._alerts: dict[str, Alert] = {}
        self._left: deque[Alert] = deque(maxlen=_LEFT_MOST)
        self._seq = 0
        self._told: dict[int, None] = {}
        self._why = ""

    async def catch_up(self, limit: int) -> None:
        """Prints the latest `limit` of what was stored since it was asked last."""
        found: list[Event] = []
        asked: Sequence[str | None] = self._ids or [None]
        for task in asked:
            found += await self._client.events(max(1, limit), task=task, since=self._seq)
        found.sort(key=lambda event: event.seq)
        await self._learn_names({event.task_id for event in found if event.task_id})
        self._seq = max([self._seq, *(event.seq for event in found)])
        new = self._fresh(found)
        self._put(new[max(0, len(new) - limit) :])

    async def follow(self, limit: int) -> None:
        """Then what happens, for ever; what was missed during a hand-over is fetched."""
        async for update in self._client.watch():
            match update:
                case Down(why):
                    self._wait(why)
                case Picture():
                    self._why = ""
                    self._names = {row.id: row.name for row in update.rows}
                    self._ring(update.alerts)
                    await self.catch_up(limit)
                    limit = _GAP_MOST
                case Change():
                    self._names |= {row.id: row.name for row in update.rows}
                    if update.alerts is not None:
                        self._ring(update.alerts)
                    self._put(self._fresh(update.events))
                    if len(update.events) >= _LOSSY:
                        await self.catch_up(_GAP_MOST)
                    for id in update.gone:
                        self._names.pop(id, None)

    def _fresh(self, events: Iterable[Event]) -> list[Event]:
        """Those that matter and were not seen yet."""
        new = []
        for event in events:
            key = hash((event.at, event.task_id, event.kind, event.text))
            if key not in self._told and (not self._ids or event.task_id in self._ids):
                new.append(event)
            self._told[key] = None
        while len(self._told) > _TOLD_MOST:
            del self._told[next(iter(self._told))]
        return new

    def _put(self, events: Iterable[Event]) -> None:
        for event in events:
            name = self._names.get(event.task_id)
            if self._json:
                line = self._line(event, name)
                sys.stdout.write(msgspec.json.encode(line).decode() + "\n")
            else:
                who = listing.clean(name or event.task_id, 40) or "this machine"
                text = listing.clean(event.text, 400)
                print(f"{listing.instant(event.at)}  {event.kind:<{_KIND}}  {who}: {text}")
        sys.stdout.flush()

    def _line(self, event: Event, name: str | None) -> Line:
        alert = self._alert_of(event)
        return Line(
            at=event.at,
            task_id=event.task_id or None,
            name=name,
            attempt=event.attempt or None,
            kind=event.kind,
            text=event.text,
            **(
                {name: getattr(alert, name) for name in ("id", "level", "meaning", "actions")}
                if alert is not None
                else {}
            ),
        )

    def _alert_of(self, event: Event) -> Alert | None:
        """The alert that an event of its kind is about, as far as it was seen."""
        task_id = event.task_id or None
        if event.kind == "alert":
            fits = [
                one
                for one in self._alerts.values()
                if one.task_id == task_id and one.since == event.at
            ]
            same = [one for one in fits if one.text == event.text]
        elif event.kind == "alert-over":
            fits = [one for one in reversed(self._left) if one.task_id == task_id]
            same = [one for one in fits if event.text.endswith(one.text)]
        else:
            return None
        return next(iter((*same, *fits)), None)

    def _ring(self, alerts: Iterable[Alert]) -> None:
        now = {alert.id: alert for alert in alerts}
        self._left += [alert for id, alert in self._alerts.items() if id not in now]
        self._alerts = now

    async def _learn_names(self, ids: set[str]) -> None:
        for everything in (False, True):
            if unknown := sorted(ids - self._names.keys()):
                rows = await self._client.tasks(all=everything, ids=[] if everything else unknown)
                self._names |= {row.id: row.name for row in rows if row.id in ids}

    def _wait(self, why: str) -> None:
        if why != self._why:
            self._why = why
            print(f"heaptui: {listing.clean(why, 200)}; waiting for another", file=sys.stderr)
