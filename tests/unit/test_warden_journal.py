"""The warden's journal: whole rows only, whatever a crash or a full disk left behind."""

from __future__ import annotations

import os
import resource
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heaptui.warden.child import execute
from heaptui.warden.journal import Journal, encoded
from heaptui.warden.records import Records
from heaptui.warden.system import start_of

ROWS = [{"j": "start", "task": f"t{n}", "attempt": 1, "note": "ä" * n} for n in range(5)]


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(str(tmp_path / "journal"))
    yield journal
    os.close(journal.file)


def test_what_was_appended_is_read_back_in_order(journal: Journal) -> None:
    for row in ROWS:
        journal.append(row)
    assert list(journal.rows()) == ROWS
    assert journal.size == Path(journal.path).stat().st_size


def test_it_is_private(journal: Journal) -> None:
    journal.rewrite(ROWS)
    assert stat.S_IMODE(Path(journal.path).stat().st_mode) == 0o600


def test_cut_off_at_any_byte_it_loses_at_most_the_last_row(journal: Journal) -> None:
    whole = b"".join(map(encoded, ROWS))
    ends = [len(b"".join(map(encoded, ROWS[:n]))) for n in range(len(ROWS) + 1)]
    for size in range(len(whole)):
        Path(journal.path).write_bytes(whole[:size])
        complete = sum(end <= size for end in ends) - 1
        # a row that only lacks its newline is whole
        complete += size + 1 in ends
        assert list(journal.rows()) == ROWS[:complete]


@given(st.binary(max_size=200))
def test_rubbish_never_raises(rubbish: bytes) -> None:
    descriptor = os.memfd_create("journal")
    os.write(descriptor, rubbish + b"\n" + encoded(ROWS[0]))
    journal = Journal(f"/proc/self/fd/{descriptor}")
    try:
        assert list(journal.rows())[-1] == ROWS[0]
    finally:
        os.close(journal.file)
        os.close(descriptor)


def test_a_rewrite_replaces_all_and_later_rows_follow(journal: Journal) -> None:
    for row in ROWS:
        journal.append(row)
    journal.rewrite(ROWS[3:4])
    journal.append(ROWS[4])
    assert list(journal.rows()) == ROWS[3:]
    assert journal.size == Path(journal.path).stat().st_size
    assert os.listdir(Path(journal.path).parent) == ["journal"]


@pytest.mark.parametrize(
    "row",
    [
        b"[]",
        b"7",
        b'{"j":"start","boot":"b"}',
        b'{"j":"start","task":"t","attempt":1,"pid":"7","start":1,"at":1.0,"boot":"b"}',
        b'{"j":"end","ev":"ended"}',
        b'{"j":"ack"}',
        b'{"j":"unended","n":null}',
        b"[" * 200_000,
    ],
)
def test_rows_of_another_shape_are_passed_over(tmp_path: Path, row: bytes) -> None:
    (tmp_path / "journal").write_bytes(row + b"\n" + encoded({"j": "unended", "n": 3}))
    records = Records(str(tmp_path / "journal"))
    assert (records.live, records.ended, records.unended) == ({}, {}, 3)
    os.close(records.journal.file)


@pytest.fixture
def full_after() -> Iterator[object]:
    """Lets files of this process grow to a given size only, as a full disk would."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


def test_a_row_that_does_not_fit_is_taken_back(journal: Journal, full_after) -> None:
    journal.append(ROWS[0])
    full_after(journal.size + 10)
    with pytest.raises(OSError, match="too large"):
        journal.append(ROWS[1])
    assert Path(journal.path).read_bytes() == encoded(ROWS[0])


def test_a_rewrite_that_does_not_fit_changes_nothing(journal: Journal, full_after) -> None:
    journal.append(ROWS[0])
    full_after(journal.size + 10)
    with pytest.raises(OSError, match="too large"):
        journal.rewrite(ROWS)
    assert list(journal.rows()) == ROWS[:1]
    assert os.listdir(Path(journal.path).parent) == ["journal"]


@pytest.mark.parametrize(
    ("path", "names"), [("/nowhere:/bin", "No such file"), ("/dev/null", "No such file")]
)
def test_the_path_is_searched_to_its_end(path: str, names: str) -> None:
    with pytest.raises(OSError, match=names):
        execute(["no-such-command"], {"PATH": path})


def test_a_start_is_known_while_the_process_is() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        start = start_of(child.pid)
        assert start is not None and start == start_of(child.pid)
        child.communicate(b"\n")
    assert start_of(child.pid) is None
