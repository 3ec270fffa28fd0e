"""What an operator is told of errors, whatever they come wrapped in."""

from __future__ import annotations

import sys

import pytest

from heaptui.cli import listing
from heaptui.cli.main import main
from heaptui.errors import Refused


def test_a_group_of_errors_is_told_as_the_first_of_heaptuis_own(tmp_path, monkeypatch, capsys):
    def fails(*_: object, **__: object) -> None:
        raise ExceptionGroup("", [ExceptionGroup("", [Refused("No.", "Do.")])])

    monkeypatch.setattr(listing, "put_rows", fails)
    monkeypatch.setattr(sys, "argv", ["heaptui", "--state", str(tmp_path / "state"), "ps"])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == Refused.exit_code
    assert capsys.readouterr().err == "heaptui: No.\n  Do.\n"


def test_a_group_that_nobody_foresaw_keeps_its_trace(tmp_path, monkeypatch):
    def fails(*_: object, **__: object) -> None:
        raise ExceptionGroup("odd", [ValueError()])

    monkeypatch.setattr(listing, "put_rows", fails)
    monkeypatch.setattr(sys, "argv", ["heaptui", "--state", str(tmp_path / "state"), "ps"])
    with pytest.raises(ExceptionGroup, match="odd"):
        main()
