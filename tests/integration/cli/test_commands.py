"""The commands as an operator uses them, each a process of its own."""

from __future__ import annotations

import json
import os
import pty
import signal
import sqlite3
import struct
from contextlib import closing
from pathlib import Path

import pytest

from tests.integration.operating import alive, marked, said, wait_until

NUMBERED = "for n in 1 2 3 4 5; do echo line $n; echo error $n >&2; done; exit 3"


def test_a_directory_that_was_never_used_lists_nothing(heaptui):
    for argv in (["ps"], ["ps", "--all"], ["history"]):
        done = heaptui(*argv)
        said(done, 0)
        assert done.stdout == ""
        assert heaptui.told(*argv) == []
    for argv in (["show", "x"], ["logs", "x"], ["stop", "x"], ["retry", "x"], ["forget", "x"]):
        said(heaptui(*argv), 3, "Nothing has run", "heaptui run")
    assert heaptui.supervisors() == heaptui.wardens() == []


def test_a_task_from_its_start_to_its_record(heaptui):
    task_id = heaptui.run("sh", "-c", "echo out; echo err >&2; exit 3", name="first", cap="300M")
    row = heaptui.until("first", "failed")
    assert (row["id"], row["exit_code"], row["signal"], row["attempts"]) == (task_id, 3, None, 1)
    assert row["cap_bytes"] == 300 << 20
    assert row["created_at"] <= row["started_at"] <= row["ended_at"]
    assert heaptui.told("ps") == []

    logs = heaptui("logs", "first")
    assert logs.stdout == "out\nerr\n"
    shown = heaptui("show", task_id[:4])
    assert "exit code 3" in shown.stdout
    assert "cap 300M (given)" in shown.stdout
    (attempt,) = heaptui.told("history")
    assert (attempt["task_id"], attempt["exit_code"], attempt["verdict"]) == (task_id, 3, "failed")
    uri = f"{heaptui.state.database.as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True)) as database:
        (stored,) = database.execute(
            "SELECT agent_type, status, started_at, ended_at FROM worker_sessions"
        )
    assert stored[:2] == ("command", "failed")
    assert stored[2] <= stored[3]


def test_waiting_shows_the_output_and_gives_the_exit_code(heaptui):
    done = heaptui("run", "--wait", "--", "sh", "-c", NUMBERED)
    assert done.returncode == 3
    assert done.stdout == "".join(f"line {n}\nerror {n}\n" for n in range(1, 6))
    assert "exit code 3" in done.stderr
    said(heaptui("run", "--wait", "--", "sh", "-c", "kill -TERM $$"), 143, "SIGTERM")
    said(heaptui("run", "--wait", "--", "true"), 0)


def test_waiting_shows_every_attempt_in_its_order(heaptui):
    heaptui.config.write_text("[retry]\nbackoff = '0.1s'\n")
    script = "echo begins; sleep 0.2; echo ends; exit 1"
    done = heaptui("run", "--wait", "--retries", "2", "--", "sh", "-c", script)
    assert (done.returncode, done.stdout) == (1, "begins\nends\n" * 3)


def test_waiting_for_several_names_each_line(heaptui):
    done = heaptui("run", "--wait", "--count", "3", "--name", "n", "--", "sh", "-c", NUMBERED)
    assert done.returncode == 3
    lines = done.stdout.splitlines()
    for one in ("n/1", "n/2", "n/3"):
        told = [line for line in lines if line.startswith(f"{one}| ")]
        assert told[:2] == [f"{one}| line 1", f"{one}| error 1"]
        assert len(told) == 10


def test_sixty_tasks_at_once_are_all_followed(heaptui, tmp_path):
    go = tmp_path / "go"
    said(heaptui("dispatch", "--concurrency", "60"), 0)
    script = f"echo up; while [ ! -e {go} ]; do sleep 0.2; done; echo down"
    waiting = heaptui.start(
        "run", "--wait", "--count", "60", "--cap", "16M", "--name", "n", "--", "sh", "-c", script
    )
    assert waiting.stdout is not None
    try:
        # none of them ends before every one of them was shown
        up = {waiting.stdout.readline() for _ in range(60)}
    finally:
        go.touch()
    assert up == {f"n/{n}| up\n".encode() for n in range(1, 61)}
    out, words = waiting.communicate(timeout=60)
    assert waiting.returncode == 0, words
    assert set(out.splitlines()) == {f"n/{n}| down".encode() for n in range(1, 61)}


def test_interrupted_waiting_leaves_the_task_alone(heaptui):
    waiting = heaptui.start("run", "--wait", "--name", "on", "--", "sh", "-c", "echo up; sleep 60")
    assert waiting.stdout is not None
    assert waiting.stdout.readline() == b"up\n"
    waiting.send_signal(signal.SIGINT)
    _, words = waiting.communicate(timeout=30)
    assert waiting.returncode == 130
    assert b"it goes on" in words
    assert b"Traceback" not in words
    assert heaptui.rows()["on"]["state"] == "running"


@pytest.mark.parametrize("argv", [["run", "--wait", "--", "yes"], ["logs", "-f", "yes"]])
def test_a_reader_that_has_seen_enough_ends_the_command_not_the_task(heaptui, argv):
    if argv[0] == "logs":
        heaptui.run("yes")
        wait_until(lambda: heaptui("logs", "yes", "-n", "1").stdout, "output of yes")
    command = heaptui.start(*argv)
    assert command.stdout is not None
    assert command.stderr is not None
    assert command.stdout.readline() == b"y\n"
    command.stdout.close()
    words = command.stderr.read()
    command.stderr.close()
    assert command.wait(30) == 141
    assert b"Traceback" not in words
    assert heaptui.rows()["yes"]["state"] == "running"


def test_nobody_reading_at_all_loses_no_task(heaptui):
    reading, writing = os.pipe()
    os.close(reading)
    command = heaptui.start("run", "--name", "kept", "--", "true", stdout=writing)
    os.close(writing)
    _, words = command.communicate(timeout=30)
    assert (command.returncode, words) == (141, b"")
    heaptui.until("kept", "done")


def test_stop_ends_the_whole_tree_and_waits_for_it(heaptui):
    task_id = heaptui.run("sh", "-c", "setsid sleep 60 & sleep 60", name="tree")
    wait_until(lambda: marked()[f"{task_id}.1"] == 3, "the tree to stand")
    done = heaptui("stop", "tree")
    said(done, 0, "stopped by the operator")
    assert marked()[f"{task_id}.1"] == 0
    (row,) = heaptui.told("stop", "tree")
    assert (row["state"], row["signal"], row["exit_code"]) == ("stopped", 15, None)


def test_kill_needs_no_cooperation(heaptui):
    script = "trap '' TERM; echo deaf; while :; do sleep 0.1; done"
    task_id = heaptui.run("sh", "-c", script, name="deaf")
    wait_until(lambda: heaptui("logs", "deaf").stdout, "the trap")
    said(heaptui("stop", "deaf", "--grace", "0.3s"), 0)
    row = heaptui.rows()["deaf"]
    assert (row["state"], row["signal"]) == ("stopped", 9)
    assert marked()[f"{task_id}.1"] == 0
    heaptui.run("sh", "-c", script, name="deaf-too")
    wait_until(lambda: heaptui("logs", "deaf-too").stdout, "the trap")
    said(heaptui("kill", "deaf-too"), 0, "killed by the operator")


def test_what_has_ended_may_be_stopped_without_harm_retried_and_forgotten(heaptui):
    task_id = heaptui.run("sh", "-c", "exit 4", name="again")
    heaptui.until("again", "failed")
    (row,) = heaptui.told("stop", "again")
    assert (row["state"], row["exit_code"]) == ("failed", 4)
    said(heaptui("retry", "again"), 0)
    row = wait_until(
        lambda: (
            (row := heaptui.rows()["again"])["attempts"] == 2 and row["state"] == "failed" and row
        ),
        "the second attempt",
    )
    assert row["id"] == task_id
    said(heaptui("forget", "again"), 0, "1 forgotten")
    assert heaptui.told("ps", "--all") == []
    assert not heaptui.state.task(task_id).exists()
    said(heaptui("show", "again"), 3, "No task fits")


def test_a_name_that_fits_several_is_refused_with_what_to_name(heaptui):
    ids = [heaptui.run("sleep", "60", name="twin") for _ in range(2)]
    done = heaptui("stop", "twin")
    said(done, 3, "fits 2 tasks", *ids)
    assert {row["state"] for row in heaptui.told("ps")} <= {"starting", "running", "queued"}


def test_the_queue_waits_while_it_is_paused(heaptui):
    said(heaptui("dispatch", "pause"), 0)
    heaptui.run("true", name="later")
    assert heaptui.rows()["later"]["state"] == "queued"
    host = heaptui.told("dispatch", "resume", "--concurrency", "3")
    assert (host["paused"], host["concurrency"]) == (False, 3)
    heaptui.until("later", "done")


def test_higher_priority_goes_first(heaptui):
    heaptui("dispatch", "pause", "--concurrency", "1")
    heaptui.run("true", name="low", priority="-1")
    heaptui.run("true", name="middle")
    heaptui.run("true", name="high", priority="5")
    heaptui("dispatch", "resume")
    heaptui.until("low", "done")
    rows = heaptui.rows()
    started = [rows[name]["started_at"] for name in ("high", "middle", "low")]
    assert started == sorted(started)


def test_a_file_of_tasks(heaptui, tmp_path):
    (tmp_path / "work").mkdir()
    (tmp_path / "tasks.toml").write_text(
        '[defaults]\ncap = "300M"\ncwd = "work"\n'
        '[[task]]\nname = "a"\ncommand = "sh -c pwd"\n'
        '[[task]]\nname = "b"\ncommand = ["sh", "-c", "exit 2"]\ncount = 2\nenv = { K = "v" }\n'
    )
    done = heaptui("run", "-f", str(tmp_path / "tasks.toml"))
    said(done, 0)
    assert len(done.stdout.split()) == 3
    assert heaptui.until("a", "done")["cap_bytes"] == 300 << 20
    assert {heaptui.until(name, "failed")["exit_code"] for name in ("b/1", "b/2")} == {2}
    assert heaptui("logs", "a").stdout == f"{tmp_path}/work\n"
    assert heaptui.told("show", "b/1")["env_names"] == ["K"]


def test_the_environment_is_the_submitters_and_its_values_stay_hidden(heaptui):
    done = heaptui(
        "run", "--wait", "--env", "GIVEN=secret-1", "--", "sh", "-c", "echo $GIVEN $OUTER",
        environment={"OUTER": "secret-2"},
    )  # fmt: skip
    assert done.stdout == "secret-1 secret-2\n"
    shown = heaptui("show", "sh").stdout + heaptui("show", "sh", "--json").stdout
    assert "GIVEN" in shown
    assert "secret" not in shown
    kept = [path for path in heaptui.root.rglob("*") if not path.is_socket()]
    assert any(b"secret-2" in path.read_bytes() for path in kept if path.is_file())
    assert not [path for path in kept if path.stat().st_mode & 0o077]
    clean = heaptui(
        "run", "--wait", "--clean-env", "--name", "clean", "--", "sh", "-c", "echo [$OUTER]",
        environment={"OUTER": "secret-2"},
    )  # fmt: skip
    assert clean.stdout == "[]\n"


def test_a_time_out_ends_it_and_says_so(heaptui):
    done = heaptui("run", "--wait", "--timeout", "0.3s", "--", "sleep", "60")
    said(done, 143, "time-out")
    assert heaptui.rows()["sleep"]["verdict"] == "timed-out"


def test_logs_of_a_part_an_attempt_and_a_text(heaptui):
    heaptui("run", "--wait", "--", "sh", "-c", NUMBERED)
    assert heaptui("logs", "sh", "-n", "2").stdout == "line 5\nerror 5\n"
    assert heaptui("logs", "sh", "--search", "line").stdout.count("line") == 5
    assert heaptui("logs", "-f", "sh", "-n", "1").stdout == "error 5\n"
    said(heaptui("logs", "sh", "--attempt", "2"), 3, "no output of attempt 2")


def test_following_begins_before_the_task_does(heaptui):
    heaptui("dispatch", "pause")
    heaptui.run("sh", "-c", "echo at last", name="late")
    following = heaptui.start("logs", "-f", "late")
    heaptui("dispatch", "resume")
    out, _ = following.communicate(timeout=30)
    assert (following.returncode, out) == (0, b"at last\n")


def test_a_supervisor_that_a_command_started_ends_with_the_work(heaptui):
    heaptui.run("true")
    heaptui.until("true", "done")
    wait_until(lambda: not heaptui.supervisors() and not heaptui.wardens(), "both to leave")
    assert heaptui.rows()["true"]["exit_code"] == 0


def test_serving_in_the_foreground_leaves_in_order(heaptui):
    serving = heaptui.start("serve")
    assert serving.stderr is not None
    assert b"supervises" in serving.stderr.readline()
    heaptui.run("sleep", "60", name="lives")
    pid = heaptui.until("lives", "running")["pid"]
    said(heaptui("serve"), 5, "supervises", "already")
    serving.send_signal(signal.SIGINT)
    _, words = serving.communicate(timeout=30)
    assert serving.returncode == 0
    assert b"1 task is seen through in the background" in words
    assert alive(pid)
    row = heaptui.until("lives", "running")
    assert (row["pid"], row["attempts"]) == (pid, 1)


def test_doctor_says_what_it_found_and_what_it_means(heaptui):
    findings = {one["topic"]: one for one in heaptui.told("doctor")}
    assert findings.keys() >= {"heaptui", "state", "supervisor", "config", "caps", "memory",
                               "files", "node", "python", "terminal", "clipboard"}  # fmt: skip
    assert {one["level"] for one in findings.values()} <= {"ok", "note", "bad"}
    assert all(one["meaning"] or one["more"] for one in findings.values() if one["level"] != "ok")
    heaptui.run("sleep", "60")
    assert f"pid {heaptui.supervisor()} in the background" in heaptui("doctor").stdout


def test_config_prints_an_example_that_it_accepts(heaptui):
    example = heaptui("config").stdout
    heaptui.config.write_text(example)
    done = heaptui("config", "--path")
    said(done, 0, "in force")
    assert Path(done.stdout.strip()) == heaptui.config


def _on_a_terminal(heaptui, columns: int, *argv: str, **environment: str) -> str:
    import fcntl
    import termios

    pid, terminal = pty.fork()
    if pid == 0:
        fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        given = {**heaptui.environment, "TERM": "xterm-256color", **environment}
        given.pop("COLUMNS", None)
        from tests.integration.operating import HEAPTUI

        os.execve(HEAPTUI[0], [*HEAPTUI, *argv], given)
    out = b""
    try:
        while piece := os.read(terminal, 1 << 16):
            out += piece
    except OSError:
        pass  # Linux: the other side has closed
    finally:
        os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0, out
    return out.decode()


@pytest.mark.parametrize("columns", [20, 40, 80, 200])
def test_listings_fit_the_terminal(heaptui, columns):
    name, words = "a-name-of-some-length", "sleep 60"
    heaptui.run("sh", "-c", words, name=name)
    heaptui("run", "--wait", "--", "sh", "-c", "exit 9")
    for argv in (["ps", "--all"], ["history"]):
        out = _on_a_terminal(heaptui, columns, *argv, NO_COLOR="1")
        assert "\x1b" not in out
        table = [line for line in out.splitlines() if not line.startswith("*")]
        assert max(map(len, table)) <= columns
        assert any(line.startswith(heaptui.rows()["sh"]["id"]) for line in table)


def test_colours_are_for_terminals_that_want_them(heaptui):
    heaptui("run", "--wait", "--", "false")
    assert "\x1b[31m" in _on_a_terminal(heaptui, 80, "ps", "--all")
    assert "\x1b" not in _on_a_terminal(heaptui, 80, "ps", "--all", TERM="dumb")
    assert "\x1b" not in _on_a_terminal(heaptui, 80, "ps", "--all", NO_COLOR="1")


def test_json_is_one_value_per_command(heaptui):
    task_id = heaptui.run("sleep", "60", name="one")
    for argv in (["ps"], ["show", "one"], ["history"], ["dispatch"], ["stop", "one"],
                 ["doctor"]):  # fmt: skip
        json.dumps(heaptui.told(*argv))
    (queued,) = json.loads(heaptui("run", "--json", "--name", "two", "--", "true").stdout)
    assert (queued["name"], queued["argv"]) == ("two", ["true"])
    (retried,) = heaptui.told("retry", task_id)
    assert retried["state"] in ("queued", "starting", "running")
    (killed,) = heaptui.told("kill", task_id)
    assert killed["state"] == "stopped"
    waited = heaptui(
        "run", "--wait", "--json", "--name", "three", "--", "sh", "-c", "echo x; exit 2"
    )
    assert waited.returncode == 2
    (ended,) = json.loads(waited.stdout)
    assert (ended["name"], ended["state"], ended["exit_code"]) == ("three", "failed", 2)
