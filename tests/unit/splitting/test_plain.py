"""What stands where a plain file is expected holds nobody up."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from heaptui.errors import Unreadable
from heaptui.inputs import Item
from heaptui.splitting import markdown, parts
from heaptui.splitting.plain import opened

PART = Item("pipe:1-2", 1, of="pipe", first=1, last=2)


@pytest.mark.parametrize(
    "reads",
    [
        markdown.read,
        parts.lines_of,
        lambda path: parts.cut(path.parent / "parts", PART, path.parent),
    ],
)
@pytest.mark.timeout(10)
def test_a_pipe_without_a_writer_is_no_file(
    tmp_path: Path, reads: Callable[[Path], object]
) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(Unreadable, match="not a plain file"):
        reads(tmp_path / "pipe")


@pytest.mark.timeout(10)
def test_a_device_without_an_end_is_no_text_to_divide() -> None:
    endless = Item("/dev/zero", 1 << 30)
    assert parts.ranges(endless, 10, Path("/")) == [endless]


def test_what_can_be_no_path_is_not_there() -> None:
    with pytest.raises(Unreadable, match="no path"):
        markdown.read(Path("/tmp/a\0b"))


def test_a_plain_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"text")
    with opened(tmp_path / "f") as file:
        assert file.read() == b"text"
    with pytest.raises(FileNotFoundError):
        opened(tmp_path / "none")
