"""What an operator or a machine can get wrong: a message with its remedy, and nothing lost."""

from __future__ import annotations

import os
import pty
import resource
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from heaptui.paths import StateDir
from tests.integration.operating import HEAPTUI, Operated, said, wait_until

MIB = 1 << 20
NOBODY = 65534
ROOT = os.geteuid() == 0


def nothing_was_queued(heaptui: Operated) -> bool:
    return heaptui.told("ps", "--all") == []


# --- commands and options ------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("argv", "code", "words"),
    [
        (["bogus"], 2, ["No such command 'bogus'", "--help"]),
        (["run", "--bogus", "--", "true"], 2, ["--bogus", "heaptui run --help"]),
        (["run"], 2, ["command or a file", "heaptui run -- "]),
        (["run", "--", "no-such-program"], 5, ["no-such-program", "PATH"]),
        (["run", "--", "/no/such/program"], 5, ["/no/such/program does not exist"]),
        (["run", "--", "/"], 5, ["/ is a directory"]),
        (["run", "--cwd", "/no/such", "--", "true"], 5, ["/no/such does not exist", "--cwd"]),
        (["run", "--cap", "300 cats", "--", "true"], 2, ["'300 cats'", "300M"]),
        (["run", "--cap", "0", "--", "true"], 2, ["--cap", "300M"]),
        (["run", "--cap", "-1G", "--", "true"], 2, ["'-1G'"]),
        (["run", "--cap", "1M", "--", sys.executable, "-c", ""], 5, ["Python", "--cap"]),
        (["run", "--kind", "node", "--cap", "5M", "--", "node", "x.js"], 5, ["--cap"]),
        (["run", "--timeout", "soon", "--", "true"], 2, ["'soon'", "20m"]),
        (["run", "--cap", "", "--", "true"], 2, ["--cap ''", "300M"]),
        (["run", "--heap", "", "--", "true"], 2, ["--heap ''", "300M"]),
        (["run", "--timeout", "", "--", "true"], 2, ["--timeout ''", "20m"]),
        (["run", "--grace", "", "--", "true"], 2, ["--grace ''", "20m"]),
        (["run", "--output-limit", "", "--", "true"], 2, ["--output-limit ''", "300M"]),
        (["run", "--cap", "9" * 400, "--", "true"], 2, ["--cap", "more than any machine"]),
        (["run", "--timeout", "9" * 400, "--", "true"], 2, ["--timeout", "hundred years"]),
        (["run", "--env", "A\x1b[2J=x", "--", "true"], 2, ["environment variable's name"]),
        (["run", "--", "echo", "caf\udce9"], 2, ["not UTF-8 text, after 'caf'"]),
        (["run", "--env", "A=\udcff", "--", "true"], 2, ["not UTF-8 text"]),
        (["stop", "\udcff"], 3, ["heaptui run"]),
        (["run", "--env", "NAME", "--", "true"], 2, ["NAME", "KEY=VALUE"]),
        (["run", "--count", "0", "--", "true"], 2, ["--count"]),
        (["run", "--kind", "perl", "--", "true"], 2, ["command", "node", "python"]),
        (["run", "-f", "/no/such.toml"], 2, ["/no/such.toml", "[[task]]"]),
        (["run", "-f", "/", "--", "true"], 2, ["--file"]),
        (["stop", "nobody"], 3, ["heaptui run"]),
        (["dispatch", "halt"], 2, ["pause", "resume"]),
        (["--config", "/no/such/config.toml", "run", "--", "true"], 2, ["/no/such/config.toml"]),
        ([], 2, ["needs a terminal", "heaptui ps"]),
    ],
)
def test_a_mistake_is_named_with_its_remedy(heaptui, argv, code, words):
    said(heaptui(*argv), code, *words)
    assert nothing_was_queued(heaptui)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"[[task]\n", ["line 3"]),
        (b"", ["no task"]),
        (b"[[task]]\ncommand = 'true'\ncpa = '2G'\n", ["cpa", "cap"]),
        (b"[[task]]\ncommand = 'true'\ncap = '2X'\n", ["2X"]),
        (b"[[task]]\nname = 'a'\n", ["command"]),
        (b"\xff\xfe", ["cannot be read", "UTF-8"]),
    ],
)
def test_a_bad_task_file_queues_none_of_its_tasks(heaptui, tmp_path, text, words):
    path = tmp_path / "tasks.toml"
    path.write_bytes(b"[[task]]\ncommand = 'true'\n" * bool(text[:2] == b"[[") + text)
    said(heaptui("run", "-f", str(path)), 2, "tasks.toml", *words)
    assert nothing_was_queued(heaptui)


def test_an_option_beside_a_file_of_tasks_is_refused_not_passed_over(heaptui, tmp_path):
    path = tmp_path / "tasks.toml"
    path.write_text("[[task]]\ncommand = 'true'\n")
    done = heaptui("run", "--cap", "1G", "--priority", "0", "--count", "1", "-f", str(path))
    said(done, 2, "--cap, --priority, --count cannot be given", "[defaults]")
    assert nothing_was_queued(heaptui)
    (row,) = heaptui.told("run", "-f", str(path))
    assert row["argv"] == ["true"]


def test_variables_that_are_no_text_are_left_out_with_a_note(heaptui):
    script = 'echo "${ODD-unset} $EVEN"'
    odd = {"ODD": "\udcff", "EVEN": "even"}
    done = heaptui("run", "--wait", "--", "sh", "-c", script, environment=odd)
    said(done, 0, "variables that are not UTF-8 text are left out: ODD\n")
    assert done.stdout == "unset even\n"


def test_a_directory_that_is_gone(heaptui, tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    script = f"rmdir {gone}; exec {' '.join(HEAPTUI)} run -- true"
    done = subprocess.run(
        ["sh", "-c", script],
        cwd=gone,
        env=heaptui.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    said(done, 2, "does not exist any more", "--cwd DIR")
    assert nothing_was_queued(heaptui)


@pytest.mark.parametrize("argv", [["ps"], ["ps", "--json"], ["config"], ["--help"]])
@pytest.mark.parametrize(
    ("redirection", "words"),
    [
        (">&-", ["Standard output is closed", "/dev/null"]),
        ("> /dev/full", ["cannot be written: No space left on device"]),
    ],
)
def test_an_output_that_cannot_be_written(heaptui, argv, redirection, words):
    if argv == ["ps"]:
        heaptui.run("true")
        argv = ["ps", "--all"]
    done = subprocess.run(
        ["sh", "-c", f"{' '.join([*HEAPTUI, *argv])} {redirection}"],
        env=heaptui.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    said(done, 1, *words)
    assert done.stderr.count("heaptui: ") == 1


def test_a_directory_of_everybodys_is_not_closed(heaptui, tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    said(heaptui("--state", str(shared), "ps"), 5, "open to other users", "--state")
    assert shared.stat().st_mode & 0o7777 == 0o1777


@pytest.mark.parametrize(
    ("content", "mode", "code", "words"),
    [
        (b"echo hi\n", 0o644, 5, ["is not executable", "chmod +x"]),
        (b"#!/no/such/interpreter\n", 0o755, 5, ["/no/such/interpreter"]),
        (b"\x7fELF nothing of the kind", 0o755, 127, ["Exec format error"]),
    ],
)
def test_a_program_that_cannot_be_executed(heaptui, tmp_path, content, mode, code, words):
    program = tmp_path / "program"
    program.write_bytes(content)
    program.chmod(mode)
    said(heaptui("run", "--wait", "--", str(program)), code, *words)


def test_a_name_of_ten_thousand_characters_is_cut(heaptui):
    heaptui.run("true", name="n" * 10_000)
    (row,) = heaptui.told("ps", "--all")
    assert len(row["name"]) == 80
    assert row["name"].endswith("…")
    wait_until(lambda: heaptui.told("ps", "--all")[0]["state"] == "done", "its end")


def test_escapes_and_markup_in_names_and_output_stay_text(heaptui):
    nasty = "\x1b]0;owned\x07[bold red]x[/]\x1b[2J"
    heaptui.run("sh", "-c", 'printf "%s\\n" "$1"; exit 3', "sh", nasty, name=nasty)
    name = "[bold red]x[/]"
    heaptui.until(name, "failed")
    for argv in (["ps", "--all"], ["history"], ["show", name], ["stop", name]):
        done = heaptui(*argv)
        said(done, 0)
        assert name in done.stdout + done.stderr
        assert not {"\x1b", "\x07"} & set(done.stdout + done.stderr)
    # a pipe is given the bytes; a terminal is not
    assert heaptui("logs", name).stdout == f"{nasty}\n"
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(HEAPTUI[0], [*HEAPTUI, "logs", name], heaptui.environment)
    shown = b""
    try:
        while piece := os.read(terminal, 4096):
            shown += piece
    except OSError:
        pass  # Linux: the other side has closed
    os.close(terminal)
    os.waitpid(pid, 0)
    assert shown == b"[bold red]x[/]\r\n"


def test_three_hundred_megabytes_in_one_line(heaptui):
    heaptui.run("sleep", "300", name="keeps-it-alive")
    supervisor = psutil.Process(heaptui.supervisor())
    before = supervisor.memory_info().rss
    script = f"head -c {300 * MIB} /dev/zero | tr '\\0' x; echo; echo end"
    waiting = heaptui.start(
        "run", "--wait", "--name", "long", "--output-limit", "8M", "--", "sh", "-c", script
    )
    assert waiting.stdout is not None
    last = b""
    while piece := waiting.stdout.read(1 << 20):
        last = (last + piece)[-8:]
    follower = psutil.Process(waiting.pid).memory_info().rss
    assert waiting.wait(60) == 0
    assert last.endswith(b"x\nend\n")
    assert follower < 80 * MIB
    assert supervisor.memory_info().rss - before < 12 * MIB
    row = heaptui.rows()["long"]
    assert row["output_bytes"] == 300 * MIB + 5
    kept = heaptui.state.output(row["id"], 1).stat()
    assert kept.st_blocks * 512 <= 9 * MIB
    assert heaptui("logs", "long", "-n", "1").stdout == "end\n"


# --- the state directory -------------------------------------------------------------------------
def test_ten_heaptui_starting_at_once_share_one_supervisor(heaptui):
    def run(number: int) -> subprocess.CompletedProcess[str]:
        return heaptui("run", "--name", f"n{number}", "--", "sh", "-c", f"sleep 1; exit {number}")

    with ThreadPoolExecutor(10) as pool:
        done = list(pool.map(run, range(10)))
    for one in done:
        said(one, 0)
    assert len({one.stdout.strip() for one in done}) == 10
    assert len(heaptui.supervisors()) == len(heaptui.wardens()) == 1
    rows = heaptui.rows()
    assert {row["id"] for row in rows.values()} == {one.stdout.strip() for one in done}
    for number in range(10):
        state = "done" if number == 0 else "failed"
        assert heaptui.until(f"n{number}", state)["exit_code"] == number


def test_a_socket_that_nobody_serves_any_more_is_replaced(heaptui):
    state = heaptui.state.prepare()
    for name in ("supervisor", "warden"):
        with socket.socket(socket.AF_UNIX) as stale:
            stale.bind(str(state.socket(name)))
    said(heaptui("run", "--wait", "--", "true"), 0)


def test_a_file_where_the_socket_belongs_is_left_alone(heaptui):
    path = heaptui.state.prepare().socket("supervisor")
    path.write_text("mine")
    said(heaptui("run", "--", "true"), 5, "in the way", "--state")
    assert path.read_text() == "mine"


FOREIGN = """
import os, socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
os.chown(sys.argv[1], {uid}, {uid})
os.setgid({uid})
os.setuid({uid})
{listen}
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(not ROOT, reason="only root becomes somebody else; the unit tests stand in")
@pytest.mark.parametrize(
    ("listen", "words"),
    [
        ("listener.listen()", "is served by another"),
        ("listener.close()", "belongs to another"),
    ],
)
def test_a_socket_of_another_user_is_refused(heaptui, listen, words):
    path = heaptui.state.prepare().socket("supervisor")
    other = subprocess.Popen(
        [sys.executable, "-c", FOREIGN.format(uid=NOBODY, listen=listen), str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert other.stdout is not None
    assert other.stdin is not None
    try:
        assert other.stdout.readline() == b"ready\n"
        said(heaptui("run", "--", "true"), 5, f"{words} user (uid {NOBODY})", "--state")
        assert path.is_socket()
    finally:
        other.communicate()


def test_a_newer_state_directory_is_not_touched(heaptui):
    heaptui("run", "--wait", "--name", "old", "--", "true")
    wait_until(lambda: not heaptui.supervisors(), "the supervisor to leave")
    with closing(sqlite3.connect(heaptui.state.database)) as database:
        database.execute("PRAGMA user_version = 999")
    before = heaptui.state.database.read_bytes()
    for argv in (["ps"], ["run", "--", "true"]):
        said(heaptui(*argv), 5, "newer", "999")
    assert heaptui.state.database.read_bytes() == before


def test_a_damaged_database_is_named_and_mended(heaptui):
    heaptui("run", "--wait", "--name", "old", "--", "true")
    wait_until(lambda: not heaptui.supervisors(), "the supervisor to leave")
    with heaptui.state.database.open("r+b") as file:
        file.write(b"\0" * 64)
    said(heaptui("ps"), 6, "damaged", "doctor --mend-store")
    said(heaptui("run", "--", "true"), 6, "damaged", "doctor --mend-store")
    said(heaptui("doctor", "--mend-store"), 0)
    said(heaptui("run", "--wait", "--name", "new", "--", "true"), 0)
    assert heaptui.rows()["new"]["state"] == "done"


def test_live_tasks_survive_a_database_that_is_damaged_under_them(heaptui):
    heaptui.run("sh", "-c", "sleep 2; exit 5", name="lives")
    pid = heaptui.until("lives", "running")["pid"]
    warden = heaptui.warden()
    with heaptui.state.database.open("r+b") as file:
        file.write(b"\0" * 64)
    heaptui.state.database.with_name("heaptui.db-wal").write_bytes(b"")
    os.kill(heaptui.supervisor(), 9)
    wait_until(lambda: heaptui("ps").returncode == 6, "the damage to be seen")
    wait_until(lambda: not psutil.pid_exists(pid), "the task's end")
    assert heaptui.wardens() == [warden]
    assert '"code":5' in heaptui.state.journal.read_text()


def test_a_path_that_no_socket_takes_is_no_hindrance(tmp_path):
    operated = Operated(tmp_path / ("d" * 120) / "state")
    try:
        done = operated("run", "--wait", "--", "sh", "-c", "exit 3")
        said(done, 3)
        assert operated.told("ps", "--all")[0]["exit_code"] == 3
        socket_path = StateDir(operated.root.resolve()).socket("supervisor")
        assert socket_path.parent == Path(f"/tmp/heaptui-{os.getuid()}")
    finally:
        operated.clean_up()


def test_a_file_in_its_place(heaptui):
    heaptui.root.write_text("mine")
    said(heaptui("ps"), 6, "is a file", "--state")
    assert heaptui.root.read_text() == "mine"


UNPRIVILEGED = """
import os, sys
from heaptui.cli import commands, following, main, starting, submitting
# all of it first: the checkout may lie where nobody else can read
import heaptui.client, heaptui.runtime.launch, heaptui.runtime.taskfile
if os.geteuid() == 0:
    os.setgroups([]); os.setgid({uid}); os.setuid({uid})
sys.argv = ["heaptui", *sys.argv[1:]]
main.main()
"""


@pytest.mark.parametrize("argv", [["ps"], ["run", "--", "true"]])
def test_a_place_that_cannot_be_written(tmp_path, argv):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o555)
    done = subprocess.run(
        [sys.executable, "-c", UNPRIVILEGED.format(uid=NOBODY), *argv],
        env={**os.environ, "HEAPTUI_STATE": str(closed / "state"), "HOME": "/"},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    said(done, 6, "cannot be used", "Permission denied", "--state")


# --- a full disk ---------------------------------------------------------------------------------
@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m,mode=700", "tmpfs", str(disk)]
    if not ROOT or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("a disk of its own needs mount(8) and root; the limit below stands in")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def fill(disk: Path) -> Path:
    """Takes all that is left of the disk."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        while True:
            try:
                file.write(bytes(4096))
            except OSError:
                return ballast


def test_a_full_disk_refuses_what_is_new_and_loses_nothing(small_disk):
    operated = Operated(small_disk / "state")
    operated.config = operated.config.parent.parent / "config.toml"
    try:
        operated.run("sh", "-c", "read x < $GO; exit 6", name="live", env=f"GO={_fifo(operated)}")
        operated.until("live", "running")
        ballast = fill(small_disk)
        done = operated("run", "--count", "50", "--", "true")
        said(done, 6, "Free space")
        assert [row["name"] for row in operated.told("ps")] == ["live"]
        Path(_fifo(operated)).write_text("go\n")
        live = operated.told("ps", "--all")
        assert [row["name"] for row in live] == ["live"]
        ballast.unlink()
        assert operated.until("live", "failed")["exit_code"] == 6
        said(operated("run", "--wait", "--name", "after", "--", "true"), 0)
    finally:
        operated.clean_up()


def _fifo(operated: Operated) -> str:
    path = operated.root.parent.parent / "go"
    if not path.exists():
        os.mkfifo(path)
    return str(path)


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="limits of another process")
def test_files_that_may_not_grow_refuse_what_is_new_and_lose_nothing(heaptui):
    serving = heaptui.start("serve")
    assert serving.stderr is not None
    assert b"supervises" in serving.stderr.readline()
    # its alone: not the warden's, which brings up the next
    resource.prlimit(serving.pid, resource.RLIMIT_FSIZE, (256 << 10, resource.RLIM_INFINITY))
    heaptui.run("sh", "-c", "sleep 1; exit 6", name="live")
    refused = wait_until(
        lambda: (
            (done := heaptui("run", "--count", "200", "--", "true", "x" * 2000)).returncode and done
        ),
        "the limit to be met",
    )
    said(refused, 6)
    assert refused.stdout == ""
    serving.kill()
    serving.wait()
    serving.stderr.close()
    assert heaptui.until("live", "failed")["exit_code"] == 6
    said(heaptui("run", "--wait", "--name", "after", "--", "true"), 0)


# --- the terminal --------------------------------------------------------------------------------
def test_a_terminal_that_cannot_place_text(heaptui):
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(HEAPTUI[0], HEAPTUI, {**heaptui.environment, "TERM": "dumb"})
    shown = b""
    try:
        while piece := os.read(terminal, 4096):
            shown += piece
    except OSError:
        pass  # Linux: the other side has closed
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 2
    assert b"TERM=dumb" in shown
    assert b"heaptui ps" in shown
    assert b"\x1b" not in shown
