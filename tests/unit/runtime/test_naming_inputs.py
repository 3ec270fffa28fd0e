"""What a task works through, from an operator's words."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest

from heaptui.errors import Unreadable, UsageError
from heaptui.inputs import ITEMS_MAX, Inputs, Source
from heaptui.runtime import naming_inputs
from heaptui.runtime.naming_inputs import Named


@pytest.fixture
def work(tmp_path: Path) -> Path:
    (tmp_path / "src").mkdir()
    for name in ("a.py", "b.py", "c d.py"):
        (tmp_path / "src" / name).write_text("x = 1\n" * 40)
    (tmp_path / "TASKS.md").write_text("# T\n- [ ] one\n- [x] two\n- [ ] three\n")
    (tmp_path / "list.txt").write_text("src/b.py\nsrc/a.py\n")
    return tmp_path


def read(work: Path, count: int = 1, **named: object) -> Inputs:
    inputs = naming_inputs.read(
        Named(**named),  # type: ignore[arg-type]
        cwd=work / "src",
        base=work,
        count=count,
        where="tasks.toml, task 2: ",
    )
    assert inputs is not None
    return inputs


def names(inputs: Inputs) -> list[str]:
    return [item.name for item in inputs.items]


def test_nothing_named_is_nothing(work: Path) -> None:
    assert naming_inputs.read(Named(), cwd=work, base=work, count=9) is None


def test_patterns_and_paths_start_from_the_tasks_directory(work: Path) -> None:
    inputs = read(work, inputs=("c d.py", "*.py", "../list.txt"))
    assert names(inputs) == ["c d.py", "a.py", "b.py", "../list.txt"]
    assert inputs.source is Source.FILES


def test_what_is_named_twice_is_done_once(work: Path) -> None:
    assert names(read(work, inputs=("b.py", "*.py", "./a.py"))) == ["b.py", "a.py", "c d.py"]
    (work / "list.txt").write_text("ticket 7\nticket 9\nticket 7\n")
    assert names(read(work, inputs_from="list.txt")) == ["ticket 7", "ticket 9"]


def test_a_list_starts_from_the_base_and_what_it_names_from_the_tasks_directory(
    work: Path,
) -> None:
    inputs = read(work, inputs_from="list.txt")
    assert (inputs.source, names(inputs)) == (Source.LINES, ["src/b.py", "src/a.py"])
    (work / "list.txt").write_text("b.py\na.py\n")
    inputs = read(work, inputs_from="list.txt")
    assert (inputs.source, names(inputs)) == (Source.FILES, ["b.py", "a.py"])


def test_standard_input_is_a_list(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"ticket 7\nticket 9\n")))
    inputs = read(work, inputs_from="-")
    assert (inputs.source, names(inputs)) == (Source.LINES, ["ticket 7", "ticket 9"])


def test_a_markdown_file_is_known_by_its_whole_path(work: Path) -> None:
    inputs = read(work, task_file="TASKS.md")
    assert (inputs.source, names(inputs)) == (Source.BOXES, ["one", "three"])
    assert inputs.origin == str(work / "TASKS.md")


@pytest.mark.parametrize(
    ("named", "what"),
    [
        ({"inputs": ("*.rs",)}, "*.rs"),
        ({"inputs": ("gone.py",)}, "gone.py"),
        ({"inputs": ("",)}, ""),
        ({"inputs_from": "gone.txt"}, "gone.txt cannot be read"),
        ({"inputs_from": ""}, "cannot be read"),
        ({"inputs_from": "empty"}, ""),
        ({"inputs_from": "latin"}, "line 2"),
        ({"inputs_from": "many"}, f"{ITEMS_MAX:,}"),
        ({"task_file": "gone.md"}, "gone.md"),
        ({"task_file": "plain.md"}, "plain.md"),
        ({"task_file": "src"}, "src"),
        ({"inputs": ("*.py",), "task_file": "TASKS.md"}, "inputs and task-file each say"),
        ({"inputs": ("*.py",), "inputs_from": "list.txt"}, "inputs and inputs-from each say"),
    ],
)
def test_what_cannot_be_worked_through(work: Path, named: dict[str, object], what: str) -> None:
    (work / "empty").write_text("\n\n")
    (work / "latin").write_bytes(b"a.py\nstra\xdfe.py\n")
    (work / "many").write_text("".join(f"ticket {n}\n" for n in range(ITEMS_MAX + 1)))
    (work / "plain.md").write_text("words\n")
    with pytest.raises((UsageError, Unreadable)) as caught:
        read(work, **named)
    assert caught.value.what.startswith("tasks.toml, task 2: ")
    assert what in caught.value.what
    assert caught.value.remedy


@pytest.mark.skipif(sys.platform != "linux", reason="only there a name may be any bytes")
@pytest.mark.parametrize("name", [b"stra\xdfe.py", b"two\nlines.py"])
def test_a_name_that_no_list_can_hold(work: Path, name: bytes) -> None:
    (work / "src" / os.fsdecode(name)).write_text("x")
    with pytest.raises(UsageError):
        read(work, inputs=("*.py",))


def test_copies_would_all_do_the_same(work: Path) -> None:
    with pytest.raises(UsageError, match=r"each of 3 copies .* same inputs-from"):
        read(work, count=3, inputs_from="list.txt")
