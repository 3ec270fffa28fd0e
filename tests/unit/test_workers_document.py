"""WORKERS.md says what is spoken: its conversations are taken word by word."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from heaptui import inputs, wire, worker
from heaptui.engine.worker_connection import PER_S

TEXT = (Path(__file__).parents[2] / "WORKERS.md").read_text()


def lines(sign: str) -> list[str]:
    return re.findall(rf"^    {re.escape(sign)} (.*)$", TEXT, re.MULTILINE)


def test_every_line_of_the_conversation_is_understood_and_whole() -> None:
    said = [wire.decode_from_worker(line) for line in lines(">")]
    told = [msgspec.json.decode(line, type=wire.ToWorker) for line in lines("<")]
    assert [wire.encode(one).decode() for one in told] == lines("<")
    assert {type(one) for one in told} == {wire.Kept, wire.AskCheckpoint, wire.Drain}
    assert isinstance(said[0], wire.Hello)
    assert said[0].role is wire.Role.WORK
    kinds = {wire.Hello, wire.Progress, wire.Context, wire.Checkpoint, wire.Result, wire.Drained}
    assert {type(one) for one in said} == kinds


def test_every_kind_of_message_and_every_variable_is_named() -> None:
    kinds = (wire.Hello, wire.Progress, wire.Checkpoint, wire.Result, wire.Log, wire.Drained)
    for kind in (*kinds, wire.Context, wire.Failed, wire.AskCheckpoint, wire.Drain, wire.Kept):
        rows = re.findall(rf"^\| `{kind.__struct_config__.tag}` \|([^|]*)", TEXT, re.MULTILINE)
        fields = [set(re.findall(r"`(\w+)`", row)) for row in rows]
        assert set(kind.__struct_fields__) in fields or kind is wire.Hello
    variables = [value for name, value in vars(wire).items() if name.endswith("_VARIABLE")]
    assert len(variables) == 7
    for name in variables:
        assert f"| `{name}` |" in TEXT
    assert f"at most {inputs.NAME_MAX} bytes" in TEXT
    assert f"more than {PER_S:.0f} messages" in TEXT


def test_the_module_keeps_to_the_same_bounds() -> None:
    assert worker.DATA_MAX == wire.DATA_MAX
    assert worker._LINE_MAX == wire.LINE_MAX


@pytest.mark.parametrize("wanted", ["w = worker.connect()\nstate = w.", "async def main():"])
def test_its_programs_run(tmp_path: Path, wanted: str) -> None:
    (program,) = (
        one for one in re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL) if wanted in one
    )
    does = "async def do(n): pass\n" if "await do" in program else "def do(n): pass\n"
    subprocess.run(
        [sys.executable, "-W", "error", "-c", does + program],
        check=True,
        timeout=60,
        env={"HEAPTUI_CHECKPOINT": str(tmp_path / "checkpoint")},
    )
    assert json.loads((tmp_path / "checkpoint").read_bytes())["next"] > 0


def test_the_hand_over_is_told_whole() -> None:
    table = TEXT.split("### The hand-over")[1].split("## Python")[0]
    named = [
        name
        for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
        for name in row.split(", ")
    ]
    assert {name.strip("`") for name in named} == set(inputs.Handover.__struct_fields__)


def items_programs() -> list[tuple[str, str]]:
    programs = re.findall(r"```(sh|python)\n(.*?)```", TEXT, re.DOTALL)
    return [one for one in programs if "draining=1" in one[1] or "items()" in one[1]] + [
        one for one in programs if "w.left()" in one[1]
    ]


@pytest.mark.parametrize("program", items_programs(), ids=["shell", "loop", "pool"])
def test_its_programs_go_through_items(tmp_path: Path, program: tuple[str, str]) -> None:
    language, text = program
    (tmp_path / "slice").write_text("a\nb b\nc\n")
    (tmp_path / "done").write_text("")
    env = {"HEAPTUI_SLICE": "slice", "HEAPTUI_DONE": "done", "PATH": os.environ["PATH"]}
    if language == "sh":
        argv = ["sh", "-euc", 'draining=\nwork_on() { echo "$1"; }\n' + text]
    else:
        argv = [sys.executable, "-W", "error", "-c", "def do(path): print(path)\n" + text]
    done = subprocess.run(
        argv, check=True, timeout=60, env=env, cwd=tmp_path, capture_output=True, text=True
    )
    assert sorted(done.stdout.splitlines()) == ["a", "b b", "c"]
    assert sorted((tmp_path / "done").read_text().splitlines()) == ["a", "b b", "c"]


def test_what_it_names_of_the_module_is_there() -> None:
    for name in re.findall(r"`w\.(\w+)", TEXT):
        assert name in ("draining", "checkpoint_wanted") or hasattr(worker.Worker, name)
    for name in re.findall(r"`worker\.(\w+)", TEXT):
        assert hasattr(worker, name) or name == "cjs"
