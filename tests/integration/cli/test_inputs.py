"""What a task works through, as an operator names it, and what its processes are given."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.integration.operating import HEAPTUI, said

DOES_TWO = (
    'n=0; while read -r f; do n=$((n+1)); [ $n -gt 2 ] && exit 3; echo "did $f"; '
    'echo "$f" >> "$HEAPTUI_DONE"; done < "$1"'
)


@pytest.fixture
def work(tmp_path):
    directory = tmp_path / "work"
    directory.mkdir()
    for name in ("a.txt", "b.txt", "c d.txt", "e.txt", "f.md"):
        (directory / name).write_text(name)
    return directory


def test_each_item_is_an_argument(heaptui, work):
    done = heaptui(
        *("run", "--wait", "--cwd", str(work), "--inputs", "*.txt", "--inputs", "f.md"),
        *("--", "printf", "[%s]\\n", "{items}"),
    )
    said(done, 0)
    assert done.stdout.splitlines() == ["[a.txt]", "[b.txt]", "[c d.txt]", "[e.txt]", "[f.md]"]


def test_an_attempt_goes_on_where_the_one_before_was(heaptui, work):
    heaptui.config.write_text("[retry]\nbackoff = '0.1s'\n")
    done = heaptui(
        *("run", "--wait", "--retries", "3", "--cwd", str(work), "--inputs", "*.txt"),
        *("--", "sh", "-c", DOES_TWO, "sh", "{slice}"),
    )
    said(done, 0)
    assert done.stdout.splitlines() == ["did a.txt", "did b.txt", "did c d.txt", "did e.txt"]
    (row,) = heaptui.told("ps", "--all")
    assert (row["attempts"], row["items"]) == (2, 4)


def test_a_list_from_standard_input(heaptui, work):
    command = [*HEAPTUI, "run", "--wait", "--inputs-from", "-", "--", "cat", "{slice}"]
    done = subprocess.run(
        command,
        check=False,
        input="ticket 7\n\nticket 9\n",
        env=heaptui.environment,
        cwd=work,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (0, "ticket 7\nticket 9\n"), done.stderr


def test_a_task_file_in_a_file_of_tasks(heaptui, work):
    (work / "TASKS.md").write_text("- [x] pack\n- [ ] carry\n")
    (work / "tasks.toml").write_text(
        "[[task]]\ncommand = ['sh', '-c', 'cat \"$1\" $HEAPTUI_SLICE', 'sh', '{task_file}']\n"
        "task-file = 'TASKS.md'\n"
    )
    done = heaptui("run", "--wait", "-f", str(work / "tasks.toml"))
    said(done, 0)
    assert done.stdout.splitlines() == ["- [x] pack", "- [ ] carry", "carry"]


@pytest.mark.parametrize(
    ("argv", "code", "words"),
    [
        (["--inputs", "*.rs", "--", "true", "{items}"], 2, ("'*.rs' fits no file",)),
        (["--inputs-from", "gone.txt", "--", "true"], 2, ("gone.txt", "No such file")),
        (["--inputs-from", "", "--", "true"], 2, ("cannot be read",)),
        (["--task-file", "gone.md", "--", "true"], 7, ("gone.md",)),
        (["--task-file", "a.txt", "--", "true"], 2, ("neither open boxes nor headings",)),
        (["--inputs", "*", "--task-file", "f.md", "--", "true"], 2, ("each say", "Keep one")),
        (["--inputs", "*", "--count", "2", "--", "true"], 2, ("2 copies", "split")),
        (["--inputs", "*.txt", "--", "true", "{task_file}"], 5, ("no markdown file", "{slice}")),
        (["--inputs", "*", "-f", "f.md"], 2, ("--inputs cannot be given beside",)),
    ],
)
def test_what_cannot_be_is_said_and_nothing_is_queued(heaptui, work, argv, code, words):
    said(heaptui("run", *argv, cwd=work), code, *words)
    assert heaptui.told("ps", "--all") == []


@pytest.mark.skipif(sys.platform != "linux", reason="only there a name may be any bytes")
def test_a_name_that_is_not_text_is_said(heaptui, work):
    (work.joinpath("stra\udcdfe.txt")).write_text("x")
    said(heaptui("run", "--inputs", "*.txt", "--", "true", cwd=work), 2, "is not UTF-8")
