"""Which searcher is found, and what a confined child may open."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from heaptui.errors import Refused
from heaptui.tools.searching import confinement, searchers
from heaptui.tools.searching.child import Confined, started

confined = pytest.mark.skipif(not confinement.possible(), reason="no Landlock in this kernel")


@pytest.fixture
def fresh() -> Iterator[None]:
    """What was found before is forgotten, and so is what this test finds."""
    searchers.best.cache_clear()
    yield
    searchers.best.cache_clear()


def program(path: Path, words: str) -> Path:
    path.write_text(f"#!/bin/sh\necho '{words}'\n")
    path.chmod(0o755)
    return path


@pytest.mark.usefixtures("fresh")
def test_the_release_that_was_pinned_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path / "rg", "ripgrep 99.0.0")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert searchers.best().name == "rg"
    assert searchers.best().argv != (str(tmp_path / "rg"),)


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize("version", ["ripgrep 14.1.0", "ripgrep 13.0.0 (rev af6b6c543b)"])
def test_the_systems_rg_where_there_is_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    rg = program(tmp_path / "rg", version)
    monkeypatch.setattr(searchers, "_installed", lambda: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert searchers.best().argv == (str(rg),)


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize("words", ["ripgrep 11.0.2", "rg 14.0.0", ""])
def test_one_that_is_too_old_or_no_rg_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    program(tmp_path / "rg", words)
    monkeypatch.setattr(searchers, "_installed", lambda: None)
    monkeypatch.setattr(searchers, "by_re2", lambda: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Refused, match="Nothing here can search"):
        searchers.best()


@pytest.mark.usefixtures("fresh")
def test_one_in_the_directory_one_is_in_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path / "rg", "ripgrep 15.0.0")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(searchers, "_installed", lambda: None)
    monkeypatch.setattr(searchers, "by_re2", lambda: None)
    monkeypatch.setenv("PATH", ".")
    with pytest.raises(Refused):
        searchers.best()


def said(argv: list[str], cwd: Path, within: Confined | None) -> tuple[int, bytes]:
    process = started(argv, cwd=str(cwd), env={}, confined=within)
    out, _ = process.communicate(timeout=20)
    return process.returncode, out


@confined
def test_a_confined_child_reads_and_runs_only_what_it_was_given(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "file").write_text("needle inside\n")
    (tmp_path / "secret").write_text("needle outside\n")
    (root / "link").symlink_to("../secret")
    rg = searchers.best()
    argv = [*rg.argv, "--no-config", "--follow", "--no-filename", "needle", "."]
    code, out = said(argv, root, None)
    assert sorted(out.splitlines()) == [b"needle inside", b"needle outside"], "it follows links"
    fd = os.open(root, os.O_RDONLY)
    try:
        code, out = said(argv, root, Confined(rg.programs or rg.argv, (fd,)))
    finally:
        os.close(fd)
    assert (code, out) == (2, b"needle inside\n")


@confined
def test_a_confined_child_writes_nothing_and_starts_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x\n")
    program(tmp_path / "pre", "needle")
    rg = searchers.best()
    argv = [*rg.argv, "--no-config", "--no-filename", "--pre", "./pre", "needle", "file"]
    assert said(argv, tmp_path, None) == (0, b"needle\n"), "it runs programs"
    fd = os.open(tmp_path, os.O_RDONLY)
    try:
        assert said(argv, tmp_path, Confined(rg.argv, (fd,))) == (2, b"")
    finally:
        os.close(fd)


@confined
def test_one_that_is_linked_statically_needs_nothing_but_itself() -> None:
    rg = searchers.best()
    libraries = (
        b"NEEDED"
        in subprocess.run(["readelf", "-d", *rg.argv], stdout=subprocess.PIPE, check=True).stdout
    )
    assert rg.programs is not None
    assert (len(rg.programs) > 1) == libraries


@confined
def test_who_starts_one_is_not_confined(tmp_path: Path) -> None:
    rg = searchers.best()
    said([*rg.argv, "--version"], tmp_path, Confined(rg.argv))
    (tmp_path / "file").write_text("still")
    assert (tmp_path / "file").read_text() == "still"
    assert [one for one in threading.enumerate() if "ThreadPool" in one.name] == []
