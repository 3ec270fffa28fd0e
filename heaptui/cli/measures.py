"""`heaptui measures` and `heaptui metrics`: how it went so far, for people and for scrapers."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from heaptui import units
from heaptui.cli.context import Context
from heaptui.cli.listing import clean, put_json
from heaptui.cli.tables import Column, put_table
from heaptui.model import Measures, ProfileMeasures, Quantiles

_COLUMNS = (
    Column("NAME", least=10),
    Column("KIND", leaves=1),
    Column("ENDS", right=True),
    Column("OOMS", right=True),
    Column("P50", right=True, leaves=2),
    Column("P95", right=True),
    Column("MAX", right=True, leaves=3),
    Column("CAP", right=True),
    Column("SUGGESTED", right=True),
)


@click.command()
@click.option("--json", "json_", is_flag=True, help="Print JSON.")
@click.option(
    "--records",
    default=200,
    show_default=True,
    type=click.IntRange(0, 1000),
    help="Of each profile in the JSON: how many of the latest ends.",
)
@click.pass_obj
def measures(context: Context, json_: bool, records: int) -> None:
    """Show what tasks of each name needed, and the caps that would serve them.

    Peaks of the latest attempts that ended; a suggested cap is above the P95 and above every cap
    that an attempt ran out of. OOMS counts attempts that ended for lack of memory.
    """
    found: Measures = context.ask(
        lambda client: client.measures(records if json_ else 0), "measures"
    )
    if json_:
        put_json(found)
    else:
        put_measures(found)


@click.command()
@click.option("--socket", "only_socket", is_flag=True, help="Only say where a scraper asks.")
@click.pass_obj
def metrics(context: Context, only_socket: bool) -> None:
    """Print the OpenMetrics text.

    A scraper gets the same over HTTP: from the supervisor's socket (curl --unix-socket
    "$(heaptui metrics --socket)" http://localhost/metrics), and on 127.0.0.1 where the
    configuration names metrics.port.
    """
    if only_socket:
        print(context.state().socket("supervisor"))
    else:
        sys.stdout.write(context.ask(lambda client: client.metrics(), "metrics"))


def put_measures(found: Measures) -> None:
    """The table of profiles; what is not about one of them goes to stderr."""
    if found.profiles:
        put_table(
            _COLUMNS,
            [_cells(profile) for profile in found.profiles],
            ["red" if profile.ooms else "" for profile in found.profiles],
        )
    else:
        print("no attempt has ended yet", file=sys.stderr)
    for line in summary(found):
        print(line, file=sys.stderr)


def _cells(profile: ProfileMeasures) -> Sequence[str]:
    return (
        clean(profile.name, 40),
        profile.kind.value,
        str(profile.attempts),
        str(profile.ooms),
        # a peak of nothing was never measured
        units.size(profile.p50_bytes or None),
        units.size(profile.p95_bytes or None),
        units.size(profile.max_bytes or None),
        units.short_size(profile.cap_bytes),
        units.short_size(profile.suggested_cap_bytes),
    )


def summary(found: Measures) -> list[str]:
    """What is true of all tasks together since this supervisor began."""
    lines = []
    if found.dispatch.count:
        lines.append(f"from admission to start: {dispatch_text(found.dispatch)}")
    if found.verdicts:
        ends = ", ".join(f"{count} {verdict}" for verdict, count in found.verdicts.items())
        lines.append(f"ends: {ends}; recycled: {found.recycles}")
    if lines:
        lines.insert(0, f"since this supervisor began, {units.duration(found.at - found.since)}:")
    return lines


def dispatch_text(latency: Quantiles) -> str:
    """Quantiles in milliseconds."""
    named = (("p50", latency.p50), ("p95", latency.p95), ("p99", latency.p99), ("max", latency.max))
    told = (f"{name} {1000 * value:.0f} ms" for name, value in named if value is not None)
    return f"{', '.join(told)} of {latency.count}"
