"""The list of what is done: over real files, with writers that keep to nothing."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from heaptui.engine.done_file import DoneFile, prepare, refusal
from heaptui.errors import Refused
from heaptui.inputs import ITEMS_MAX, NAME_MAX
from heaptui.splitting.left import read_done


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "done"


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def test_only_what_is_new_and_terminated_is_counted_each_once(path):
    done = DoneFile(str(path))
    assert not done.look()
    append(path, b"a\nb\na\nunfin")
    assert done.look()
    assert len(done) == 2
    assert not done.look()
    append(path, b"ished\r\n\n\0\nb\n")
    assert done.look()
    assert len(done) == 3
    assert ("a" in done, "unfinished" in done, "unfin" in done) == (True, True, False)
    assert sorted(set(read_done(path))) == ["", "a", "b", "unfinished"]


def test_one_that_is_replaced_or_cut_is_read_anew(path):
    done = DoneFile(str(path))
    append(path, b"a\nb\n")
    done.look()
    beside = path.with_suffix(".new")
    beside.write_bytes(b"c\nd\ne\n")
    beside.replace(path)
    done.look()
    assert (len(done), "a" in done, "c" in done) == (3, False, True)
    path.write_bytes(b"f\n")
    done.look()
    assert (len(done), "c" in done, "f" in done) == (1, False, True)


def test_lines_beyond_all_measure_name_nothing_and_hide_nothing(path):
    done = DoneFile(str(path))
    append(path, b"a\n" + b"x" * (5 << 20))
    done.look()
    append(path, b"x" * 100 + b"\nb\n" + b"y" * (2 * NAME_MAX + 1) + b"\nc\n")
    done.look()
    assert len(done) == 3
    assert all(name in done for name in "abc")


def test_no_list_is_longer_than_a_tasks(path):
    done = DoneFile(str(path))
    append(path, "".join(f"{n}\n" for n in range(ITEMS_MAX + 10)).encode())
    done.look()
    assert len(done) == ITEMS_MAX
    with pytest.raises(Refused, match="more than"):
        done.add(["another"])


def test_what_is_there_is_not_written_again(path):
    done = DoneFile(str(path))
    append(path, b"a\n")
    done.add(["b", "a", "b", "ü"])
    done.add(["ü"])
    assert path.read_text() == "a\nb\nü\n"
    assert len(done) == 3
    assert not done.look()


def test_a_torn_line_never_becomes_an_items_name(path):
    append(path, b"src/a")
    path.chmod(0o644)
    DoneFile(str(path)).add(["src/b.py"])
    assert list(read_done(path)) == ["src/b.py"]
    assert path.stat().st_mode & 0o777 == 0o600
    again = DoneFile(str(path))
    again.look()
    assert len(again) == 1


def test_before_an_attempt_a_torn_line_is_cut_off(path):
    prepare(path)
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"", 0o600)
    append(path, b"a\nsrc/" + b"x" * (3 << 20))
    path.chmod(0o644)
    prepare(path)
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"a\n", 0o600)
    path.write_bytes(b"torn")
    prepare(path)
    assert path.read_bytes() == b""


@pytest.mark.parametrize("what", ["pipe", "link", "directory"])
def test_what_is_no_file_of_ours_is_refused_and_not_waited_for(path, what):
    match what:
        case "pipe":
            os.mkfifo(path)
        case "link":
            path.symlink_to("/etc/hostname")
        case _:
            path.mkdir()
    done = DoneFile(str(path))
    assert not done.look()
    with pytest.raises((Refused, OSError)):
        done.add(["a"])
    with pytest.raises((Refused, OSError)):
        prepare(path)
    assert len(done) == 0


def test_many_writers_at_once_lose_nothing(path):
    done = DoneFile(str(path))

    def engine(begin: int) -> None:
        for n in range(begin, begin + 200):
            done.add([f"e{n}"])

    def worker() -> None:
        for n in range(400):
            append(path, f"w{n}\n".encode())

    threads = [threading.Thread(target=engine, args=(begin,)) for begin in (0, 100)]
    threads.append(threading.Thread(target=worker))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done.look()
    names = {f"e{n}" for n in range(300)} | {f"w{n}" for n in range(400)}
    assert set(read_done(path)) - {"\0"} == names
    assert len(done) == len(names)


@pytest.mark.parametrize("item", ["", "a\nb", "a\rb", "a\0", "ü" * (NAME_MAX // 2) + "x"])
def test_what_is_no_item_says_why(item):
    assert refusal(item)


def test_the_longest_name_is_one():
    assert refusal("ü" * (NAME_MAX // 2)) is None
    assert refusal(" \t-x") is None
