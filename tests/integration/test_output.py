"""Output files as they are: growing, with holes, with lines of any length."""

import asyncio
import os
import random
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from heaptui import output

BLOCK = 4096
ON_ONE_FILE = settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


# --- giving back ---------------------------------------------------------------------------------
@ON_ONE_FILE
@given(size=st.integers(0, 40 * BLOCK), keep=st.integers(0, 20 * BLOCK))
def test_the_newest_bytes_are_kept(tmp_path: Path, size: int, keep: int) -> None:
    data = random.Random(size).randbytes(size).replace(b"\0", b"x")
    path = written(tmp_path / "1.log", data)
    gone = output.give_back(path, keep)
    assert size - keep - BLOCK < gone <= max(0, size - keep)
    assert path.stat().st_size == size
    assert path.read_bytes() == b"\0" * gone + data[gone:]
    if size:
        assert output.given_back(path) == gone


def test_space_is_freed_while_a_child_goes_on_writing(tmp_path: Path) -> None:
    path = tmp_path / "1.log"
    with path.open("ab") as file:
        child = subprocess.Popen(
            [sys.executable, "-c", "import sys\nfor l in sys.stdin: print(l[0] * (1 << 20))"],
            stdin=subprocess.PIPE,
            stdout=file,
        )
        assert child.stdin is not None
        child.stdin.write(b"a\n" * 8)
        child.stdin.flush()
        child.stdin.write(b"b\n" * 8)
        child.stdin.close()
        assert child.wait(20) == 0
    gone = output.give_back(path, 1 << 20)
    assert gone > 14 << 20
    assert path.stat().st_blocks * 512 < 2 << 20
    assert output.give_back(path, 1 << 20) == gone


def test_a_cut_says_so_and_writers_go_on_behind_it(tmp_path: Path) -> None:
    path = written(tmp_path / "1.log", b"old\n" * 1000)
    with path.open("ab", buffering=0) as writer:
        assert output.cut(writer.fileno()) == 4000
        writer.write(b"new\n")
    lines = path.read_text().splitlines()
    assert "4000 bytes" in lines[0]
    assert lines[1:] == ["new"]


def test_a_file_system_without_holes_is_cut(tmp_path: Path) -> None:
    """ramfs has no fallocate; it is mounted in a namespace of its own that ends with the child."""
    program = (
        "import sys; from pathlib import Path; from heaptui import output\n"
        f"path = Path({str(tmp_path)!r}) / '1.log'; path.write_bytes(b'old' * 10000)\n"
        "assert output.give_back(path, 100) == 30000\n"
        "assert b'30000 bytes' in path.read_bytes() and path.stat().st_size < 200\n"
        "assert output.given_back(path) == 0\n"
    )
    mount = f'mount -t ramfs none {tmp_path} && exec "$@"'
    unshare = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount, "sh"]
    if (
        shutil.which("unshare") is None
        or subprocess.run([*unshare, "true"], check=False).returncode
    ):
        pytest.skip("no mount namespace of our own here")
    subprocess.run([*unshare, sys.executable, "-c", program], check=True, timeout=30)


# --- reading -------------------------------------------------------------------------------------
@ON_ONE_FILE
@given(
    text=st.text(st.sampled_from("ab\n\né")).map(lambda text: text * 3),
    lines=st.integers(0, 12),
)
def test_a_tail_is_the_naive_tail(tmp_path: Path, text: str, lines: int) -> None:
    path = written(tmp_path / "1.log", text.encode())
    naive = text.removesuffix("\n").split("\n")[-lines:] if text and lines else []
    got = output.tail(path, lines)
    assert got.lines == naive
    assert not got.truncated
    rest = path.read_bytes()[got.first_offset :].decode()
    assert rest.removesuffix("\n").split("\n") == (naive or [""])


def test_a_tail_over_many_blocks(tmp_path: Path) -> None:
    lines = [f"{number} " + "x" * (number % 300) for number in range(5000)]
    path = written(tmp_path / "1.log", "\n".join(lines).encode())
    assert output.tail(path, 3000).lines == lines[-3000:]


def test_a_tail_ends_at_its_bytes_and_says_so(tmp_path: Path) -> None:
    path = written(tmp_path / "1.log", b"a" * 5000 + b"\nlast\n")
    got = output.tail(path, 10, max_bytes=100)
    assert got.truncated
    assert got.lines == ["a" * 94, "last"]
    assert got.first_offset == 5006 - 100


def test_a_tail_begins_where_the_kept_part_begins(tmp_path: Path) -> None:
    path = written(tmp_path / "1.log", b"0123456789abcde\n" * 1024)
    gone = output.give_back(path, 2 * BLOCK)
    got = output.tail(path, 100_000)
    assert (got.given_back, got.first_offset) == (gone, gone)
    assert got.truncated  # what stood before cannot be known
    assert got.lines == ["0123456789abcde"] * ((16384 - gone) // 16)


def test_300_megabytes_in_one_line_take_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "1.log"
    with path.open("wb") as file:
        for _ in range(300):
            file.write(os.urandom(1 << 20).replace(b"\n", b"x"))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    got = output.tail(path, 50, max_bytes=1 << 16)
    assert got.truncated
    assert len(got.lines) == 1
    assert output.search(path, "heaptui never wrote this", 5) == []
    assert len(output.read_from(path, 100 << 20, 1 << 16).data) == 1 << 16
    grown_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    path.unlink()
    assert grown_kb < 8 << 10


def test_reading_on_from_an_offset(tmp_path: Path) -> None:
    path = written(tmp_path / "1.log", b"0123456789")
    first = output.read_from(path, 2, 4)
    assert (first.data, first.next_offset, first.skipped) == (b"2345", 6, 0)
    assert output.read_from(path, 10, 4).data == b""
    assert output.read_from(path, 99, 4).data == b"0123"  # it was cut


def test_reading_passes_over_what_was_given_back(tmp_path: Path) -> None:
    path = written(tmp_path / "1.log", b"x" * 10 * BLOCK)
    gone = output.give_back(path, BLOCK)
    chunk = output.read_from(path, 5, 100)
    assert (chunk.skipped, chunk.next_offset, chunk.data) == (gone - 5, gone + 100, b"x" * 100)


def test_search_finds_lines_newest_first_and_goes_on(tmp_path: Path) -> None:
    lines = [f"line {number}: {'Error' if number % 7 == 0 else 'fine'}" for number in range(40_000)]
    path = written(tmp_path / "1.log", "\n".join(lines).encode())
    expected = [line for line in reversed(lines) if "Error" in line]
    found: list[str] = []
    before: int | None = None
    while hits := output.search(path, "error", 1000, before):
        found += [hit.text for hit in hits]
        before = hits[-1].line_offset
    assert found == expected
    assert output.search(path, "ERROR", 10) == []


@ON_ONE_FILE
@given(
    text=st.text(st.sampled_from("ab\n"), max_size=60), needle=st.text("ab", min_size=1, max_size=3)
)
def test_search_finds_every_line(tmp_path: Path, text: str, needle: str) -> None:
    path = written(tmp_path / "1.log", text.encode())
    hits = output.search(path, needle, 1000)
    assert [hit.text for hit in hits] == [x for x in reversed(text.split("\n")) if needle in x]
    assert all(text[hit.offset :].startswith(needle) for hit in hits)


def test_search_finds_a_match_that_lies_across_two_blocks(tmp_path: Path) -> None:
    size = 1 << 18
    for shift in range(-6, 3):
        path = written(tmp_path / "1.log", b"." * (size + shift) + b"needle" + b"." * size)
        assert [hit.offset for hit in output.search(path, "needle", 5)] == [size + shift]


# --- following -----------------------------------------------------------------------------------
async def test_following_yields_everything_and_ends(tmp_path: Path) -> None:
    path = written(tmp_path / "1.log", b"before\n")
    ended = asyncio.Event()
    expected = b"before\n" + b"".join(f"line {number}\n".encode() for number in range(50))
    seen = b""
    async with asyncio.timeout(30):
        with path.open("ab", buffering=0) as writer:
            number = 0
            async for data in output.follow(path, 0, ended):
                seen += data
                if number < 50:  # the next line is written only once the last one was seen
                    writer.write(f"line {number}\n".encode())
                    number += 1
                elif seen == expected:
                    ended.set()
    assert seen == expected


async def test_following_waits_for_a_file_that_is_not_there_yet(tmp_path: Path) -> None:
    path = tmp_path / "1.log"
    ended = asyncio.Event()

    async def first() -> bytes:
        async for data in output.follow(path, 0, ended):
            return data
        return b""

    async with asyncio.timeout(30):
        reader = asyncio.create_task(first())
        await asyncio.sleep(0)
        path.write_bytes(b"here")
        assert await reader == b"here"


async def test_a_task_that_already_ended_is_read_to_its_end(tmp_path: Path) -> None:
    path = written(tmp_path / "1.log", b"x" * 200_000)
    ended = asyncio.Event()
    ended.set()
    async with asyncio.timeout(30):
        sizes = [len(data) async for data in output.follow(path, 0, ended)]
    assert sum(sizes) == 200_000
    assert max(sizes) <= 1 << 16


async def test_giving_up_leaves_the_callers_event_alone(tmp_path: Path) -> None:
    path = written(tmp_path / "1.log", b"x")
    ended = asyncio.Event()
    seen = asyncio.Event()

    async def read() -> None:
        async for _ in output.follow(path, 0, ended):
            seen.set()

    async with asyncio.timeout(30):
        reader = asyncio.create_task(read())
        await seen.wait()
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader
    assert not ended.is_set()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_directory_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        async for _ in output.follow(tmp_path / "absent" / "1.log", 0, asyncio.Event()):
            pass
