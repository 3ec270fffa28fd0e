"""The report in words: for a terminal, and as Markdown."""

from __future__ import annotations

from heaptui.cli.soak.report import Growth, Report
from heaptui.cli.soak.simulated import TASKS_AN_HOUR
from heaptui.units import GIB, MIB, duration

_HOUR_S = 3600.0


def text(report: Report) -> str:
    """For a terminal, and as Markdown."""
    machine = report.machine
    lines = ["# heaptui soak", ""]
    lines += ["| question | asked | measured | |", "| --- | --- | --- | --- |"]
    lines += [
        f"| {one.question} | {one.asked} | {one.answer} | {_MARKS[one.met]} |"
        for one in report.questions
    ]
    ended = " (ended early by the operator)" if report.interrupted else ""
    lines += [
        "",
        f"- **Machine:** {machine.cores} cores, {machine.memory_bytes / GIB:.1f} GB, "
        f"{machine.system}, Python {machine.python}; caps by {machine.means}; "
        f"state on {machine.disk}{'' if machine.node else '; no Node.js: leaks are Python alone'}",
        f"- **Time:** {duration(report.real_s)} real at {report.rate:g} times the rate: "
        f"{report.simulated_s / _HOUR_S:.1f} simulated hours of {TASKS_AN_HOUR} tasks an hour"
        f"{ended}; seed {report.seed}",
        f"- **Tasks:** {sum(report.tasks.values())}: {_counted(report.tasks)}; "
        f"ended: {_counted(report.ended)}",
        f"- **Attempts by verdict:** {sum(report.attempts.values())}: {_counted(report.attempts)}",
        f"- **Recycles:** {report.recycles}",
        f"- **Chaos:** {sum(report.chaos.values())} deeds: {_counted(report.chaos) or 'none'}",
        *(f"    - left out, {why} ({n} times)" for why, n in report.skipped.items()),
        f"- **Supervisor:** {_mb(report.supervisor_bytes)} at the end, "
        f"{_mb(report.supervisor_most_bytes)} at most; warden {_mb(report.warden_bytes)}",
        f"- **RSS slope:** {_slope(report.growth)}",
        f"- **Lost {report.wrong['lost']}, duplicated {report.wrong['duplicated']}, "
        f"unexplained {report.wrong['unexplained']}**",
    ]
    lines += [
        f"    - {one.wrong}: {' '.join(filter(None, (one.task, one.task_id)))}: {one.text}"
        if one.task
        else f"    - {one.wrong}: {one.text}"
        for one in report.findings
    ]
    if report.kept_at is not None:
        lines.append(f"- **Kept:** {report.kept_at} (state, the workers' notes, logs)")
    return "\n".join(lines) + "\n"


_MARKS = {True: "✓", False: "✗", None: "·"}


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{n} {name}" for name, n in counts.items())


def _mb(value: int | None) -> str:
    return "unknown" if value is None else f"{value / MIB:.1f} MB"


def _slope(growth: Growth | None) -> str:
    if growth is None:
        return "not measured: no supervisor lived long enough"
    return (
        f"{growth.per_simulated_day / MIB:+.2f} MB a simulated day, "
        f"{growth.per_real_hour / MIB:+.2f} MB a real hour (half of all pairs "
        f"{growth.low_per_real_hour / MIB:+.2f} to {growth.high_per_real_hour / MIB:+.2f}); of one "
        f"process, over {duration(growth.simulated_s)} simulated, {duration(growth.real_s)} real, "
        f"{growth.looks} looks after warm-up"
    )
