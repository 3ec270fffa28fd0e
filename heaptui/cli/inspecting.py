"""`heaptui inspect`: into a process that heaptui did not start."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("pid", type=click.IntRange(1), required=False)
@click.option("--gc", "collecting", is_flag=True, help="Collect its garbage.")
@click.option(
    "--snapshot",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Have it write a heap snapshot to this file (0600; it may hold secrets).",
)
@click.option("--insist", is_flag=True, help="Even where the machine may not have the memory.")
@click.option("--json", "json_", is_flag=True, help="Print JSON.")
def inspect(
    pid: int | None, collecting: bool, snapshot: Path | None, insist: bool, json_: bool
) -> None:
    """Look into a Node or Python process that heaptui did not start.

    Without a PID it lists them and says what is possible with each, and why the rest is not; it
    touches none. With one it asks for the heap's figures, and closes behind itself what it opened.
    Only this user's processes, unless this user is root.
    """
    # what looks at processes is imported when it is used: other commands start without it
    from heaptui.cli import inspected

    inspected.put(pid, collecting=collecting, snapshot=snapshot, insist=insist, json_=json_)
