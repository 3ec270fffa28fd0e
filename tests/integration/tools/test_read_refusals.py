"""What Read must survive: files that are none, that never end, that change, that have no size."""

from __future__ import annotations

import asyncio
import os
import pty
import resource
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from heaptui.errors import Refused, StorageTrouble, Unreadable
from heaptui.tools.answers import Stopped, Text
from heaptui.tools.reading.index import Indexes
from heaptui.tools.reading.read import read
from heaptui.tools.threads import in_thread
from heaptui.tools.workspace.root import Workspace

linux = pytest.mark.skipif(sys.platform != "linux", reason="/proc, /dev, SEEK_DATA")


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace.open(tmp_path) as space:
        yield space


def test_a_fifo_and_a_socket_are_refused_without_waiting(workspace: Workspace, tmp_path: Path):
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(Refused, match="a FIFO, not a regular file"):
        read(workspace, "fifo")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
        with pytest.raises((Refused, Unreadable)):
            read(workspace, "socket")


@linux
def test_a_fifo_is_not_even_opened(workspace: Workspace, tmp_path: Path):
    """Whoever waits for a reader would see one come, and go."""
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(Refused):
        read(workspace, "fifo")
    with pytest.raises(OSError, match="No such device or address"):
        os.open(tmp_path / "fifo", os.O_WRONLY | os.O_NONBLOCK)


@linux
@pytest.mark.parametrize("name", ["zero", "null", "tty", "random"])
def test_devices_are_refused(name: str):
    with Workspace.open(Path("/dev")) as devices, pytest.raises(Refused, match="a device"):
        read(devices, name)


@linux
def test_a_terminal_is_refused():
    primary, secondary = pty.openpty()
    try:
        directory, name = os.path.split(os.ttyname(secondary))
        with Workspace.open(Path(directory)) as terminals, pytest.raises(Refused, match="terminal"):
            read(terminals, name)
    finally:
        os.close(primary)
        os.close(secondary)


def test_a_directory_is_refused_with_what_to_do(workspace: Workspace, tmp_path: Path):
    (tmp_path / "directory").mkdir()
    with pytest.raises(Refused, match="is a directory") as refused:
        read(workspace, "directory")
    assert "List" in refused.value.remedy


@pytest.mark.parametrize("at", [0, 100, 8191])
def test_a_nul_near_the_beginning_is_binary(workspace: Workspace, tmp_path: Path, at: int):
    data = bytearray(b"text\n" * 4000)
    data[at] = 0
    (tmp_path / "f").write_bytes(data)
    with pytest.raises(Unreadable, match=f"binary: byte {at} is NUL"):
        read(workspace, "f")


def test_a_nul_further_on_is_text(workspace: Workspace, tmp_path: Path):
    data = bytearray(b"text\n" * 4000)
    data[8192] = 0
    (tmp_path / "f").write_bytes(data)
    assert "\0" in read(workspace, "f").text


_MEMORY = """
import resource, sys
from pathlib import Path
from heaptui.errors import HeaptuiError
from heaptui.tools.reading.read import read
from heaptui.tools.workspace.root import Workspace

def peak():
    now = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return now if sys.platform == "darwin" else now * 1024

workspace = Workspace.open(Path(sys.argv[1]))
read(workspace, "small")
before = peak()
for asked in eval(sys.argv[3]):
    read(workspace, sys.argv[2], **asked)
print(peak() - before)
"""


def memory_of(directory: Path, name: str, asked: str) -> int:
    """Bytes of memory that readings take at most, beside those of a small file."""
    (directory / "small").write_text("small\n")
    ran = subprocess.run(
        [sys.executable, "-c", _MEMORY, directory, name, asked],
        capture_output=True,
        check=True,
        timeout=60,
    )
    return int(ran.stdout)


def test_a_huge_line_is_cut_and_can_be_gone_on_with(workspace: Workspace, tmp_path: Path):
    with (tmp_path / "f").open("wb") as file:
        file.write(b"head\n")
        for _ in range(128):
            file.write(b"0123456789abcdef" * (1 << 16))
        file.write(b"!\nlast\n")
    answer = read(workspace, "f")
    assert answer.text == "head\n" + "0123456789abcdef" * 125
    assert (answer.stopped, answer.cut_lines) == (Stopped.BYTES, (2,))
    assert (answer.next_line, answer.next_byte) == (None, 5 + 2000)
    rest = read(workspace, "f", start_byte=answer.next_byte, max_bytes=30)
    assert rest.text == ("0123456789abcdef" * 2)[:30]
    assert (rest.first, rest.next_byte) == (2, 5 + 2030)
    far = read(workspace, "f", start_byte=-20)
    assert far.text == "3456789abcdef!\nlast\n"
    assert (far.first, read(workspace, "f", offset=3).text) == (0, "last\n")
    memory = memory_of(
        tmp_path, "f", "[{}, dict(start_byte=2000), dict(offset=3), dict(offset=-1)]"
    )
    assert memory < 4 << 20


def test_a_long_line_whose_end_is_near_is_passed(workspace: Workspace, tmp_path: Path):
    (tmp_path / "f").write_bytes(b"x" * (3 << 20) + b"\r\nnext\r\n")
    answer = read(workspace, "f")
    assert answer.text == "x" * 2000 + "\nnext\n"
    assert (answer.cut_lines, answer.lines_total, answer.stopped) == ((1,), 2, Stopped.END)
    assert answer.next_byte is None
    alone = read(workspace, "f", limit=1)
    assert (alone.next_line, alone.next_byte) == (2, 2000)


@linux
def test_a_hole_is_not_read(workspace: Workspace, tmp_path: Path):
    with (tmp_path / "f").open("wb") as file:
        file.write(b"first\nsecond " + b"x" * 9000)
        file.seek(100 << 30)
        file.write(b" end\nthird\n")
    kept = Indexes()
    answer = read(workspace, "f", offset=3, within_s=20, index=kept)
    assert (answer.text, answer.first, answer.stopped) == ("third\n", 3, Stopped.END)
    assert read(workspace, "f", within_s=20).cut_lines == (2,)
    assert read(workspace, "f", within_s=20).last == 3
    assert read(workspace, "f", offset=-1).text == "third\n"
    assert read(workspace, "f", start_byte=(100 << 30) + 1).text == "end\nthird\n"
    with (tmp_path / "empty").open("wb") as file:
        file.truncate(100 << 30)
    with pytest.raises(Unreadable, match="binary"):
        read(workspace, "empty")


@linux
def test_files_that_make_their_contents():
    with Workspace.open(Path("/proc")) as proc:
        answer = read(proc, "self/status")
        assert answer.tag.size == 0
        assert "VmRSS:" in answer.text
        assert answer.stopped is Stopped.END
        assert not answer.changed
        second = read(proc, "self/status", offset=2, limit=1)
        assert second.text == answer.text.splitlines(keepends=True)[1]
        assert read(proc, "self/status", offset=-1).last == answer.last
        with pytest.raises(Unreadable):
            read(proc, "self/mem")
        with pytest.raises(Unreadable, match="binary"):
            read(proc, "self/cmdline")


@linux
def test_no_more_than_a_mebibyte_is_taken_of_one():
    with Workspace.open(Path("/proc")) as proc:
        made = 0
        at: int | None = 0
        while at is not None and made < 2 << 20:
            answer = read(
                proc, "kallsyms", start_byte=at, max_bytes=1 << 20, max_tokens=1 << 22, limit=2000
            )
            made += len(answer.text.encode())
            if answer.stopped is Stopped.BYTES:
                break
            at = answer.next_byte
    assert answer.stopped is Stopped.BYTES
    assert made == 1 << 20


def test_a_file_that_grows_meanwhile_ends_and_says_so(workspace: Workspace, tmp_path: Path):
    file = tmp_path / "f"
    file.write_bytes(b"line\n" * 100_000)
    looked = 0

    def grow() -> bool:
        nonlocal looked
        looked += 1
        with file.open("ab") as end:
            end.write(b"more\n" * 50_000)
        return False

    answer = read(workspace, "f", offset=100_001, limit=10, cancelled=grow)
    assert answer.changed
    assert answer.text == "more\n" * 10
    assert looked < 20
    assert answer.lines_total is None
    assert answer.tag.sha256 == ""


@pytest.mark.parametrize("asked", [{}, {"offset": 90_000}, {"offset": -90_000}, {"start_byte": 0}])
def test_a_file_that_shrinks_meanwhile_ends_and_says_so(workspace, tmp_path: Path, asked):
    file = tmp_path / "f"
    file.write_bytes(b"line\n" * 100_000)

    def shrink() -> bool:
        os.truncate(file, 7)
        return False

    answer = read(workspace, "f", cancelled=shrink, **asked)
    assert answer.changed
    assert len(answer.text) <= 7


def test_one_that_another_replaces_is_read_to_its_end(workspace: Workspace, tmp_path: Path):
    file = tmp_path / "f"
    file.write_bytes(b"line\n" * 100_000)
    other = tmp_path / "other"
    other.write_bytes(b"other\n" * 100_000)

    def replace() -> bool:
        if other.exists():
            other.rename(file)
        return False

    answer = read(workspace, "f", offset=99_999, cancelled=replace)
    assert answer.text == "line\nline\n"
    assert answer.changed


def test_a_changed_file_is_not_known_by_its_old_index(workspace: Workspace, tmp_path: Path):
    file = tmp_path / "f"
    file.write_bytes(b"a\n" * 300_000)
    kept = Indexes(tmp_path / "index")
    for _ in range(2):
        assert read(workspace, "f", offset=300_000, index=kept).text == "a\n"
    file.write_bytes(b"abc\n" * 200_000)
    answer = read(workspace, "f", offset=200_000, index=kept)
    assert (answer.text, answer.lines_total) == ("abc\n", 200_000)


def test_one_that_runs_out_of_time_goes_on_where_it_was(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "f").write_bytes(b"line\n" * 1_000_000)
    monkeypatch.setattr("heaptui.tools.reading.read.settled", lambda tag: True)
    kept = Indexes()
    chunks = 0

    def after_ten() -> bool:
        nonlocal chunks
        chunks += 1
        return chunks > 10

    answers: list[Text] = []
    while not answers or answers[-1].stopped is Stopped.CANCELLED:
        chunks = 0
        answers.append(
            read(workspace, "f", offset=999_999, limit=1, index=kept, cancelled=after_ten)
        )
        assert len(answers) < 10
    assert len(answers) > 3
    assert all((each.text, each.next_line) == ("", 999_999) for each in answers[:-1])
    assert (answers[-1].text, answers[-1].first) == ("line\n", 999_999)


def test_no_time_is_an_answer(workspace: Workspace, tmp_path: Path):
    (tmp_path / "f").write_bytes(b"line\n" * 1000)
    answer = read(workspace, "f", offset=7, within_s=-1)
    assert (answer.text, answer.stopped, answer.next_line) == ("", Stopped.TIME, 7)
    answer = read(workspace, "f", start_byte=25, cancelled=lambda: True)
    assert (answer.text, answer.stopped, answer.next_byte) == ("", Stopped.CANCELLED, 25)


def test_a_file_nobody_may_read_says_so(tmp_path: Path):
    (tmp_path / "f").write_text("secret")
    (tmp_path / "f").chmod(0)
    script = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from heaptui.errors import Unreadable\n"
        "from heaptui.tools.reading.read import read\n"
        "from heaptui.tools.workspace.root import Workspace\n"
        "os.chdir(sys.argv[1])\n"
        "workspace = Workspace.open(Path('.'))\n"
        "if os.geteuid() == 0: os.setuid(65534)\n"
        "try: read(workspace, 'f')\n"
        "except Unreadable as error: print(error.what)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script, tmp_path],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "may not be opened by this user" in ran.stdout, ran.stderr


def test_no_descriptor_left_is_told_and_none_is_lost(workspace: Workspace, tmp_path: Path):
    (tmp_path / "f").write_text("x\n")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    probe = os.dup(0)
    os.close(probe)
    resource.setrlimit(resource.RLIMIT_NOFILE, (probe, hard))
    try:
        with pytest.raises(StorageTrouble):
            read(workspace, "f")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert read(workspace, "f").text == "x\n"


async def test_a_cancelled_call_ends_its_thread_and_leaves_no_descriptor(
    workspace: Workspace, tmp_path: Path
):
    (tmp_path / "f").write_bytes(b"line\n" * 100)
    ended = threading.Event()
    loop = asyncio.get_running_loop()
    reading = asyncio.Event()

    def slowly(cancelled) -> Text:
        loop.call_soon_threadsafe(reading.set)
        # as a scan that never comes to an end by itself
        while (answer := read(workspace, "f", cancelled=cancelled)).stopped is Stopped.END:
            pass
        ended.set()
        return answer

    before = os.listdir("/dev/fd")
    call = asyncio.create_task(in_thread(slowly))
    await reading.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert ended.is_set()
    assert os.listdir("/dev/fd") == before


async def test_who_is_cancelled_again_while_it_waits_still_waits():
    held, ended = threading.Event(), threading.Event()
    loop = asyncio.get_running_loop()
    working = asyncio.Event()

    def slowly(cancelled) -> None:
        loop.call_soon_threadsafe(working.set)
        held.wait(20)
        assert cancelled()
        ended.set()

    call = asyncio.create_task(in_thread(slowly))
    await working.wait()
    for _ in range(3):
        call.cancel()
        # the cancellation has been delivered, and was not the end
        for _ in range(5):
            await asyncio.sleep(0)
    assert not call.done()
    held.set()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert ended.is_set()


async def test_what_the_tool_raises_is_raised(workspace: Workspace):
    with pytest.raises(Unreadable):
        await in_thread(lambda cancelled: read(workspace, "nothing", cancelled=cancelled))
