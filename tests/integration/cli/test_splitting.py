"""`heaptui split` as an operator uses it, and the README's minute of it."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

from tests.integration.operating import HEAPTUI, said

README = Path(__file__).parents[3] / "README.md"
WORKER = """
trap 'drains=yes' TERM
while [ -z "$drains" ] && read -r item; do
    echo "$item"; sleep 0.1; echo "$item" >> "$HEAPTUI_DONE"
done < "$HEAPTUI_SLICE"
"""


def waits(heaptui, tmp_path, name: str = "count") -> str:
    """A task that works through twelve lines, and has not begun."""
    listed = tmp_path / "list"
    listed.write_text("".join(f"unit {n}\n" for n in range(12)))
    said(heaptui("dispatch", "pause"), 0)
    return heaptui.run("sh", "-c", WORKER, name=name, inputs_from=str(listed))


def results(heaptui, name: str) -> list[str]:
    return sorted(heaptui("result", name).stdout.split("\n")[:-1])


def test_the_readme_shows_it_in_a_minute(heaptui, tmp_path):
    text = README.read_text().partition("\n## Splitting a task\n")[2]
    script = re.search(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)[1]
    programs = tmp_path / "bin"
    programs.mkdir()
    command = programs / "heaptui"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m heaptui "$@"\n')
    command.chmod(0o755)
    environment = {**heaptui.environment, "PATH": f"{programs}:{os.environ['PATH']}"}
    source = Path(__file__).parents[3]
    environment["PYTHONPATH"] = str(source)
    where = tmp_path / "anywhere"
    where.mkdir()
    done = subprocess.run(
        ["sh", "-e", "-c", script],
        cwd=where,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "into 4 by files" in done.stdout and "may be done again: " not in done.stderr
    heaptui.until("count", "done")
    counted = results(heaptui, "count")
    names = sorted(f"notes/{n:03}.txt" for n in range(1, 201))
    assert [line.split()[1] for line in counted] == names
    assert "`heaptui result count | wc -l` says 200" in text


def on_terminal(heaptui, answer: str, *argv: str) -> tuple[int, str]:
    """The exit code, and what it showed; the answer is typed when it asks."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(HEAPTUI[0], [*HEAPTUI, *argv], {**heaptui.environment, "TERM": "xterm"})
    out = b""
    try:
        while piece := os.read(terminal, 1 << 16):
            out += piece
            if b"[y/N]" in out and answer:
                os.write(terminal, answer.encode())
                answer = ""
    except OSError:
        pass  # Linux: the other side has closed
    finally:
        os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), out.decode()


def test_on_a_terminal_it_shows_asks_and_does_as_it_is_told(heaptui, tmp_path):
    waits(heaptui, tmp_path)
    for answer in ("n\n", "\n"):
        code, shown = on_terminal(heaptui, answer, "split", "count", "--into", "3")
        assert code == 130, shown
        assert "0 of 12 lines" in shown and "Split count into 3 children?" in shown
        assert heaptui.rows()["count"]["state"] == "queued"
    code, shown = on_terminal(heaptui, "y\n", "split", "count", "--into", "3")
    assert code == 0, shown
    rows = heaptui.rows()
    assert (rows["count"]["state"], rows["count"]["children"]) == ("split", 3)
    assert [rows[f"count:{n}"]["items"] for n in (1, 2, 3)] == [4, 4, 4]
    said(heaptui("dispatch", "resume"), 0)
    heaptui.until("count", "done")
    assert results(heaptui, "count") == sorted(f"unit {n}" for n in range(12))


def test_with_nobody_to_ask_nothing_is_split(heaptui, tmp_path):
    waits(heaptui, tmp_path)
    done = heaptui("split", "count")
    said(done, 5, "nobody to ask", "--yes")
    assert "0 of 12 lines" in done.stdout
    plan = heaptui.told("split", "count", "--dry-run", "--into", "2")
    assert [len(share["items"]) for share in plan["shares"]] == [6, 6]
    assert heaptui.rows()["count"]["state"] == "queued"
    report = heaptui.told("split", "count", "--into", "2", "--yes", "--timeout", "7m")
    assert len(report["children"]) == 2
    assert heaptui.rows()["count:1"]["timeout_s"] == 420


def test_what_cannot_be_split_is_refused_with_what_it_needs(heaptui, tmp_path):
    said(heaptui("split", "count"), 3, "Nothing has run")
    heaptui.run("true", name="finished", inputs=str(README))
    heaptui.until("finished", "done")
    waits(heaptui, tmp_path)
    heaptui.run("sleep", "60", name="plain")
    for argv, code, *words in (
        (["count", "--into", "1"], 2, "--into"),
        (["count", "--budget", "lots"], 2, "--budget", "30k"),
        (["count", "--strategy", "magic"], 2, "magic", "lines"),
        (["nobody"], 3, "No task fits"),
        (["plain"], 5, "nothing to divide", "--inputs"),
        (["finished"], 5, "nothing is left of it"),
    ):
        said(heaptui("split", *argv, "--dry-run"), code, *words)
