"""`heaptui doctor`: what this machine offers, what it means, and how to get more."""

from __future__ import annotations

import asyncio
import os
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path

import click

from heaptui import __version__, units
from heaptui.cli import listing
from heaptui.cli.context import Context
from heaptui.cli.in_force import Finding, alerting, policy_in_force, room
from heaptui.errors import HeaptuiError, Refused
from heaptui.paths import StateDir, file_system


@click.command()
@click.option("--json", "json_", is_flag=True, help="Print JSON.")
@click.option("--mend-store", is_flag=True, help="Copy what is readable of a damaged database.")
@click.option("--self", "own", is_flag=True, help="Say what the supervisor itself consists of.")
@click.pass_obj
def doctor(context: Context, json_: bool, mend_store: bool, own: bool) -> int:
    """Say what this machine offers, and how to get more of it."""
    if mend_store:
        return _mend(context)
    if own:
        from heaptui.cli.own_figures import put_own_figures

        return put_own_figures(context, json_=json_)
    findings = examine(context)
    if json_:
        listing.put_json(findings)
    else:
        for one in findings:
            print(f"{_MARKS[one.level]} {one.topic:<12} {one.found}")
            for line in (one.meaning, one.more):
                if line:
                    print(f"{'':<15}{line}")
    return 1 if any(one.level == "bad" for one in findings) else 0


_PATIENCE_S = 10.0
_MARKS = {"ok": "✓", "note": "·", "bad": "✗"}


def examine(context: Context) -> list[Finding]:
    """Everything, in the order an operator asks."""
    findings = [
        Finding(
            topic="heaptui",
            level="ok",
            found=f"{__version__} on Python {platform.python_version()}, {platform.platform()}",
        )
    ]
    try:
        state = context.state()
    except HeaptuiError as error:
        findings.append(Finding(topic="state", level="bad", found=error.what, more=error.remedy))
    else:
        findings += [_state(state), _supervisor(state)]
    findings += [_config(context), *_settings(context), _caps(), _memory()]
    findings += [_descriptors(), _node(), _python()]
    findings += [_terminal(), _clipboard(), *_logout()]
    return findings


def _state(state: StateDir) -> Finding:
    free = shutil.disk_usage(state.root).free
    return Finding(
        topic="state",
        level="ok" if free > 1 << 30 else "bad",
        found=f"{state.root} on {file_system(state.root) or 'a local disk'}, "
        f"{units.size(free)} free",
        meaning="" if free > 1 << 30 else "Outputs and the database may soon not be written.",
        more="" if free > 1 << 30 else "Free space, or name another directory with --state DIR.",
    )


def _supervisor(state: StateDir) -> Finding:
    from heaptui.cli.starting import answers
    from heaptui.client import Client

    if not answers(state):
        return Finding(
            topic="supervisor", level="ok", found="none serves now; it starts when needed"
        )

    async def ask() -> Finding:
        async with Client(state, "doctor") as client:
            pong = await client.ping()
        where = "inside the open screen" if pong.embedded else "in the background"
        return Finding(
            topic="supervisor",
            level="ok",
            found=f"pid {pong.pid} {where}, version {pong.version}; warden pid {pong.warden_pid}",
        )

    try:
        return asyncio.run(ask())
    except HeaptuiError as error:
        return Finding(topic="supervisor", level="bad", found=error.what, more=error.remedy)


def _config(context: Context) -> Finding:
    from heaptui.paths import config_file

    path = context.config_path or config_file()
    try:
        config = context.config()
    except HeaptuiError as error:
        return Finding(topic="config", level="bad", found=error.what, more=error.remedy)
    there = "" if path.exists() else " (not there: defaults)"
    return Finding(
        topic="config", level="ok", found=f"{path}{there}; {config.queue.slots()} tasks at once"
    )


def _settings(context: Context) -> list[Finding]:
    """What the configuration makes of this machine's memory."""
    from heaptui.memory.host import HostMeter

    try:
        config = context.config()
    except HeaptuiError:
        # said already
        return []
    host = HostMeter().sample(time.time())
    return [policy_in_force(config.policy), room(config.admission, host), alerting(config.alerts)]


def _caps() -> Finding:
    from heaptui.memory.cgroups import delegated_scope_argv, probe

    groups = probe(f"doctor-{os.getpid()}")
    try:
        if groups.means is not None:
            return Finding(topic="caps", level="ok", found=groups.detail)
        if delegated_scope_argv() is not None:
            return Finding(
                topic="caps",
                level="ok",
                found="cgroup v2, through a scope of the user's systemd (systemd-run --user)",
            )
        return Finding(
            topic="caps",
            level="note",
            found=groups.detail,
            meaning="Caps are held by RLIMIT_DATA per process and a watchdog over the tree: a fast "
            "burst can go over for a moment.",
            more="Log in through systemd (its user manager delegates memory), or run as root.",
        )
    finally:
        groups.close()


def _memory() -> Finding:
    from heaptui.memory.host import HostMeter

    sample = HostMeter().sample(time.time())
    pressure = (
        "no PSI: pressure is not known"
        if sample.pressure is None
        else f"PSI {sample.pressure:.1f} %"
    )
    return Finding(
        topic="memory",
        level="ok" if sample.pressure is not None else "note",
        found=f"{units.size(sample.mem_available_bytes)} of "
        f"{units.size(sample.mem_total_bytes)} available, swap "
        f"{units.size(sample.swap_total_bytes)}, {pressure}",
        more="" if sample.pressure is not None else "On Linux, boot with psi=1.",
    )


def _descriptors() -> Finding:
    from heaptui.memory.descriptors import raise_fd_limit

    limit = raise_fd_limit()
    enough = limit >= 8192
    return Finding(
        topic="files",
        level="ok" if enough else "note",
        found=f"{limit} open files allowed",
        meaning="" if enough else "Sampling a thousand workers keeps some thousand files open.",
        more="" if enough else "Raise the hard limit: ulimit -Hn, or LimitNOFILE.",
    )


def _node() -> Finding:
    from heaptui.runtime import node

    found = node.locate(dict(os.environ), Path.cwd())
    if found is None:
        return Finding(
            topic="node",
            level="note",
            found="none",
            meaning="Tasks of kind node cannot run.",
            more="Install Node, or heaptui with its extra: pip install 'heaptui[node]'.",
        )
    return Finding(topic="node", level="ok", found=f"{_said(found, '--version')} at {found}")


def _python() -> Finding:
    found = shutil.which("python3") or sys.executable
    return Finding(topic="python", level="ok", found=f"{_said(found, '--version')} at {found}")


def _said(*argv: str | Path) -> str:
    """What another program answers on stdout; why it does not, if it does not."""
    try:
        done = subprocess.run(
            argv, capture_output=True, text=True, check=False, timeout=_PATIENCE_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"({error})"
    return done.stdout.strip() or f"(exit code {done.returncode})"


def _terminal() -> Finding:
    term, colour = os.environ.get("TERM", ""), os.environ.get("COLORTERM", "")
    if os.environ.get("NO_COLOR"):
        return Finding(topic="terminal", level="ok", found="NO_COLOR is set: glyphs tell it all")
    if colour in ("truecolor", "24bit"):
        return Finding(topic="terminal", level="ok", found=f"{term}, 16 million colours")
    if "256" in term:
        return Finding(topic="terminal", level="ok", found=f"{term}, 256 colours")
    inside = " Inside tmux: set -g default-terminal tmux-256color" if os.environ.get("TMUX") else ""
    return Finding(
        topic="terminal",
        level="note",
        found=f"{term or 'unknown'}, 16 colours",
        meaning="The ANSI theme is used; nothing is lost but shades.",
        more=f"COLORTERM=truecolor where the terminal can.{inside}",
    )


def _clipboard() -> Finding:
    if os.environ.get("TMUX"):
        return Finding(
            topic="clipboard",
            level="note",
            found="OSC 52 through tmux",
            meaning="It reaches your own machine only if tmux passes it on.",
            more="set -g set-clipboard on",
        )
    return Finding(topic="clipboard", level="ok", found="OSC 52, if the terminal allows it")


def _logout() -> list[Finding]:
    """Whether the login manager ends the warden when the operator logs out."""
    if not Path("/run/systemd/system").is_dir() or not shutil.which("loginctl"):
        return []
    kills = _kill_user_processes()
    user = os.environ.get("USER", str(os.getuid()))
    lingers = _said("loginctl", "show-user", user, "--property=Linger") == "Linger=yes"
    if kills and not lingers:
        return [
            Finding(
                topic="logout",
                level="bad",
                found="KillUserProcesses=yes, and this user does not linger",
                meaning="At logout the login manager ends the warden and every task.",
                more=f"loginctl enable-linger {user}",
            )
        ]
    return [Finding(topic="logout", level="ok", found="the login manager leaves tasks running")]


def _kill_user_processes(
    places: tuple[str, ...] = ("/usr/lib/systemd", "/etc/systemd", "/run/systemd"),
) -> bool:
    """The last setting in the order in which systemd reads its files."""
    value = False
    for place in places:
        root = Path(place)
        drop_ins = root / "logind.conf.d"
        for path in (root / "logind.conf", *sorted(drop_ins.glob("*.conf"))):
            try:
                lines = path.read_text().splitlines()
            except OSError:
                continue
            for line in lines:
                key, _, text = line.partition("=")
                if key.strip() == "KillUserProcesses":
                    value = text.strip().lower() in ("yes", "true", "1", "on")
    return value


def _mend(context: Context) -> int:
    from heaptui.cli.starting import answers
    from heaptui.store.mend import mend

    state = context.state()
    if answers(state):
        raise Refused("A supervisor uses this database now.", "End it first: quit the screen.")
    mended = asyncio.run(mend(state.database))
    print(mended, file=sys.stderr)
    return 0
