"""What is written beside what it takes the place of, where a worker has put something odd."""

import os
from pathlib import Path

import pytest

from heaptui.engine import keeping, plan
from heaptui.engine.plan import RunPlan
from heaptui.errors import Refused


def some_plan(output: Path) -> RunPlan:
    return RunPlan(
        task_id="k7w2ma", attempt=1, output=str(output), output_bytes=1, cap_bytes=None, means=None
    )


def test_a_pipe_where_it_is_written_holds_up_nobody(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "checkpoint.engine.part")
    os.mkfifo(tmp_path / "1.new")
    assert keeping.put(b"{}", tmp_path / "checkpoint").bytes == 2
    plan.keep(some_plan(tmp_path / "1.log"))
    assert plan.read(tmp_path / "1.log") == some_plan(tmp_path / "1.log")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.plan", "checkpoint"]


def test_a_link_where_it_is_written_is_not_followed(tmp_path: Path) -> None:
    others = tmp_path / "others"
    others.write_text("precious")
    (tmp_path / "checkpoint.engine.part").symlink_to(others)
    (tmp_path / "1.new").symlink_to(others)
    keeping.put(b"{}", tmp_path / "checkpoint")
    plan.keep(some_plan(tmp_path / "1.log"))
    assert others.read_text() == "precious"
    assert not (tmp_path / "1.plan").is_symlink()


@pytest.mark.parametrize(
    "damage",
    [b"", b"{}", b'{"task_id":"\xff"}', b'{"x":' + b"[" * 100_000, b" " * (2 << 20)],
    ids=["empty", "nothing", "no-text", "deep", "large"],
)
def test_a_plan_that_is_damaged_is_none(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "1.plan").write_bytes(damage)
    assert plan.read(tmp_path / "1.log") is None


def test_a_plan_that_is_a_pipe_is_none(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "1.plan")
    assert plan.read(tmp_path / "1.log") is None
    with pytest.raises(Refused, match="no file"):
        keeping.look(tmp_path / "1.plan")
