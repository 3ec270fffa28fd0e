"""Edit: which bytes change, and which texts are refused."""

from __future__ import annotations

import codecs
import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from heaptui.errors import Refused, Unreadable, UsageError
from heaptui.tools.answers import Tag
from heaptui.tools.replacing import copying, nearest, occurrences
from heaptui.tools.replacing.edit import edit
from heaptui.tools.workspace.regular import tag_of
from heaptui.tools.workspace.root import Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with Workspace.open(tmp_path, writable=True) as opened:
        yield opened


def tag(path: Path, sha256: str = "") -> Tag:
    with path.open("rb") as file:
        return tag_of(file.fileno(), sha256)


def refusal(workspace: Workspace, path: str, old: str, new: str = "new") -> str:
    with pytest.raises(Refused) as caught:
        edit(workspace, path, old, new)
    return str(caught.value)


pieces = st.lists(
    st.sampled_from([b"a", b"b", b"aa", b"\n", b"\xff", b"\xc3\xa4", b"ab\nab"]), max_size=40
).map(b"".join)
texts = st.text(alphabet="ab\nä", min_size=1, max_size=5)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@example(b"aaa", "aa", "b", False)
@example(b"aaa", "aa", "b", True)
@example(b"ab" * 40, "ab\n", "", True)
@given(pieces, texts, st.text(alphabet="ab\nä", max_size=9), st.booleans())
def test_is_what_the_whole_file_replaced_at_once_would_be(
    monkeypatch: pytest.MonkeyPatch, content: bytes, old: str, new: str, all: bool
) -> None:
    monkeypatch.setattr(occurrences, "_PIECE", 8)
    monkeypatch.setattr(nearest, "_PIECE", 8)
    wanted, instead = old.encode(), new.encode()
    starts = [at for at in range(len(content)) if content.startswith(wanted, at)]
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "file")
        path.write_bytes(content)
        with Workspace.open(Path(directory), writable=True) as workspace:
            try:
                done = edit(workspace, "file", old, new, all=all)
            except UsageError:
                assert old == new
            except Refused as error:
                assert not starts or (len(starts) > 1 and not all)
                if starts:
                    assert f"this text {len(starts)} times" in error.what
                assert path.read_bytes() == content
            else:
                assert starts
                assert all or len(starts) == 1
                assert path.read_bytes() == content.replace(wanted, instead)
                assert done.bytes == path.stat().st_size
                assert done.replaced == content.count(wanted)
                assert done.lines[0] == content.count(b"\n", 0, starts[0]) + 1
                assert done.tag == tag(path, hashlib.sha256(path.read_bytes()).hexdigest())
            assert os.listdir(directory) == ["file"]


def test_names_the_lines_of_the_first_places(workspace: Workspace) -> None:
    path = workspace.root / "f"
    path.write_text("x\n\nx y x\n" + "x\n" * 20)
    assert edit(workspace, "f", "x", "z", all=True).lines == (1, 3, 4, 5, 6, 7, 8, 9, 10)
    assert "23 times, in lines 1, 3, 4, 5, 6, 7, 8, 9, 10 …" in refusal(workspace, "f", "z")


def test_a_place_may_lie_across_pieces(workspace: Workspace) -> None:
    path = workspace.root / "f"
    needle = "needle " * 100
    for before in (256 << 10, (256 << 10) - 1, (256 << 10) - 350, (256 << 10) - 700, 700_000):
        path.write_bytes(b"." * before + needle.encode() + b"." * 500_000)
        edit(workspace, "f", needle, "!")
        assert path.read_bytes() == b"." * before + b"!" + b"." * 500_000


@pytest.mark.parametrize(
    ("content", "old", "new", "wanted"),
    [
        # the plain match fails
        (b"a\r\nb\r\nc\r\n", "a\nb", "x\ny\nz", b"x\r\ny\r\nz\r\nc\r\n"),
        (b"a\r\nb\r\n", "b\n", "b\nc\n", b"a\r\nb\r\nc\r\n"),
        # it is sent as it is there
        (b"a\r\nb\r\n", "a\r\nb", "x\r\ny", b"x\r\ny\r\n"),
        # one line becomes two
        (b"a\r\nb\r\n", "b", "b\nc", b"a\r\nb\r\nc\r\n"),
        (b"a\r\nb", "b", "b\nc", b"a\r\nb\r\nc"),
        (b"a\nb\r\nc\n", "a", "a\nd", b"a\nd\nb\r\nc\n"),
        # what begins with a line end takes all of that
        (b"a\r\nb\r\n", "\nb", "", b"a\r\n"),
        (b"a\nb\n", "\nb", "", b"a\n"),
        # no other line end, no byte order mark, no last line end changes
        (b"a\nb\r\nc\rd", "c", "C", b"a\nb\r\nC\rd"),
        (b"\xef\xbb\xbfab", "a", "c", b"\xef\xbb\xbfcb"),
        (b"\x80\xff a \xc3", " a ", " b ", b"\x80\xff b \xc3"),
    ],
)
def test_line_ends_marks_and_foreign_bytes_stay(
    workspace: Workspace, content: bytes, old: str, new: str, wanted: bytes
) -> None:
    path = workspace.root / "f"
    path.write_bytes(content)
    edit(workspace, "f", old, new)
    assert path.read_bytes() == wanted


def test_all_in_a_file_with_carriage_returns(workspace: Workspace) -> None:
    path = workspace.root / "f"
    path.write_bytes(b"a\r\nb\r\na\r\nb\r\n")
    assert edit(workspace, "f", "a\nb\n", "c\n", all=True).replaced == 2
    assert path.read_bytes() == b"c\r\nc\r\n"


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le"])
def test_utf_16_and_32_by_whole_units(workspace: Workspace, encoding: str) -> None:
    path = workspace.root / "f"
    mark = "\ufeff".encode(encoding)
    # the bytes of U+4100 lie across U+0041 and what is beside it
    path.write_bytes(mark + "AA\r\nBäC\r\n䄀\r\n".encode(encoding))
    done = edit(workspace, "f", "䄀", "x\ny")
    assert done.lines == (3,)
    assert path.read_bytes() == mark + "AA\r\nBäC\r\nx\r\ny\r\n".encode(encoding)
    assert "does not have this text" in refusal(workspace, "f", "nowhere")


def test_a_sparse_file_keeps_its_holes(workspace: Workspace) -> None:
    path = workspace.root / "f"
    with path.open("wb") as file:
        file.write(b"begin\n" + b"." * 8192)
        file.seek(5 << 30)
        file.write(b"here\n")
        file.truncate(9 << 30)
    blocks = path.stat().st_blocks
    # so far inside the file its line is not counted
    assert edit(workspace, "f", "here", "there").lines == ()
    assert edit(workspace, "f", "e", "EE", all=True).lines == (1, 2)
    assert path.stat().st_size == (9 << 30) + 4
    assert path.stat().st_blocks <= blocks + 64
    with path.open("rb") as file:
        assert file.read(6) == b"bEEgin"
        file.seek((5 << 30) + 1)
        assert file.read(9) == b"thEErEE\n\0"


def test_without_copying_in_the_kernel(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "copy_file_range")
    monkeypatch.setattr(copying, "_THROUGH_HERE", 7)
    path = workspace.root / "f"
    path.write_bytes(b"0123456789" * 9 + b"x" + b"9876543210" * 9)
    edit(workspace, "f", "x", "")
    assert path.read_bytes() == b"0123456789" * 9 + b"9876543210" * 9


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("", "x", "is empty"),
        ("x", "x", "are the same"),
        ("x\0", "y", "NUL"),
        ("\ud800", "y", "half of one"),
        ("x", "\udcff", "half of one"),
    ],
)
def test_texts_that_say_nothing_are_refused(
    workspace: Workspace, old: str, new: str, why: str
) -> None:
    (workspace.root / "f").write_text("x")
    with pytest.raises(UsageError, match=why):
        edit(workspace, "f", old, new)
    assert (workspace.root / "f").read_text() == "x"


def test_a_miss_names_the_line_that_is_nowhere_and_those_like_it(workspace: Workspace) -> None:
    path = workspace.root / "f.py"
    path.write_text(
        "".join(f"def number_{n}(value):\n    return value + {n}\n\n" for n in range(500))
        + "def total(values, start):\n    return sum(values, start)\n"
    )
    said = refusal(workspace, "f.py", "def total(values, begin):\n    return sum(values, start)\n")
    assert "Line 1 of it, 'def total(values, begin):', is nowhere" in said
    assert "\n  1501: def total(values, start):\n" in said
    said = refusal(workspace, "f.py", "def total(values, start):\n\treturn sum(values, start)")
    assert "Each of its lines is there, but not one after another with this white space" in said
    assert "  1502: return sum(values, start)" in said
    assert "Nearest" not in refusal(workspace, "f.py", "@@@ %%% ~~~")
    assert "stands for bytes that are no text" in refusal(workspace, "f.py", "tot\ufffdl")


def test_the_work_of_a_miss_is_bounded(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nearest, "_LOOKED_AT", 1 << 20)
    path = workspace.root / "f"
    path.write_bytes(b"needle " + b"a" * (2 << 20) + b"\nneedles of a tree\n")
    said = refusal(workspace, "f", "needles of a bee " + "a" * 5000)
    assert "of which the first 1 MiB were looked at" in said
    assert len(said) < 2000


def test_a_stale_file_is_refused(workspace: Workspace) -> None:
    path = workspace.root / "f"
    path.write_text("one two")
    seen = tag(path)
    assert edit(workspace, "f", "one", "1", expect=seen).tag != seen
    with pytest.raises(Refused, match="it has 5 bytes, and had 7"):
        edit(workspace, "f", "two", "2", expect=seen)
    seen = tag(path)
    os.utime(path, ns=(1, 1))
    with pytest.raises(Refused, match="written to"):
        edit(workspace, "f", "two", "2", expect=seen)
    other = path.with_name("g")
    other.write_text("1 two")
    seen = tag(path)
    other.rename(path)
    with pytest.raises(Refused, match="another file has its name"):
        edit(workspace, "f", "two", "2", expect=seen)
    assert path.read_text() == "1 two"


def test_contents_known_by_their_hash_decide_alone(workspace: Workspace) -> None:
    path = workspace.root / "f"
    path.write_text("one two")
    seen = tag(path, hashlib.sha256(b"one two").hexdigest())
    path.unlink()
    path.write_text("one two")
    after = edit(workspace, "f", "one", "six", expect=seen).tag
    path.write_text("six ten")
    with pytest.raises(Refused, match="its contents are others"):
        edit(workspace, "f", "six", "1", expect=after)


def test_the_tag_that_comes_back_is_good_for_the_next(workspace: Workspace) -> None:
    path = workspace.root / "f"
    path.write_bytes(b"a0" + b"." * (9 << 20))
    after = edit(workspace, "f", "a0", "a1").tag
    assert after == tag(path)
    after = edit(workspace, "f", "a1", "a2", expect=after).tag
    edit(workspace, "f", "a2", "a3", expect=after)


def test_what_is_no_text_is_refused(workspace: Workspace) -> None:
    (workspace.root / "f").write_bytes(b"old\0old")
    with pytest.raises(Unreadable, match="binary"):
        edit(workspace, "f", "old", "new")
    with pytest.raises(Unreadable, match="not there"):
        edit(workspace, "g", "old", "new")
    (workspace.root / "f").write_bytes(b"")
    assert "does not have this text" in refusal(workspace, "f", "old")
    (workspace.root / "f").write_bytes(codecs.BOM_UTF8)
    assert "does not have this text" in refusal(workspace, "f", "old")


def test_cancelled_it_leaves_nothing(workspace: Workspace) -> None:
    path = workspace.root / "f"
    path.write_bytes(b"old" + b"." * (1 << 20))
    total = 0

    def count() -> bool:
        nonlocal total
        total += 1
        return False

    edit(workspace, "f", "old", "new", cancelled=count)
    for stop_at in range(total):
        times_asked = iter(range(total))

        def now(asked: Iterator[int] = times_asked, stop_at: int = stop_at) -> bool:
            return next(asked) == stop_at

        path.write_bytes(b"old" + b"." * (1 << 20))
        with pytest.raises(Refused, match="was cancelled; it is as it was"):
            edit(workspace, "f", "old", "new", cancelled=now)
        assert path.read_bytes()[:3] == b"old"
        assert os.listdir(workspace.root) == ["f"]
