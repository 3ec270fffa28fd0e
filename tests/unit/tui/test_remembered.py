"""What the app remembers survives a restart, and a damaged file costs nothing else."""

from __future__ import annotations

from pathlib import Path

from heaptui.tui.remembered import Remembered


def test_it_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "app.json"
    first = Remembered(path)
    first.order, first.reverse, first.theme, first.tree = "memory", True, "light", False
    first.launch = {"command": "sleep 1"}
    first.save()
    again = Remembered(path)
    assert (again.order, again.reverse, again.theme) == ("memory", True, "light")
    assert not again.tree and Remembered(tmp_path / "none").tree
    assert again.launch == {"command": "sleep 1"}
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_damaged_or_missing_is_the_same_as_new(tmp_path: Path) -> None:
    path = tmp_path / "app.json"
    assert Remembered(path).order == "danger"
    path.write_bytes(b'{"order": \xff')
    assert Remembered(path).order == "danger"
    path.write_text('{"order": "name", "of a newer version": 1}')
    assert Remembered(path).order == "name"


def test_without_a_file_it_is_kept_in_memory() -> None:
    kept = Remembered()
    kept.order = "name"
    kept.save()
    assert kept.order == "name"
