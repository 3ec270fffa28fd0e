"""Presets, tracemalloc and the preload on real runtimes: what was asked for is what they got."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from heaptui.errors import Refused, UsageError
from heaptui.model import Kind, Limits, TaskSpec
from heaptui.runtime import node, presets
from heaptui.runtime.launch import Launch, prepare
from heaptui.runtime.preload.place import placed
from heaptui.units import MIB

LIMIT = "console.log(v8.getHeapStatistics().heap_size_limit)"


def nodes() -> list[Path]:
    found = [node.locate(dict(os.environ), Path("/")), node.wheel()]
    return list(dict.fromkeys(path for path in found if path))


@pytest.fixture(params=nodes(), ids=str)
def node_dir(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "node").symlink_to(request.param)
    return str(tmp_path / "bin")


async def prepared(
    tmp_path: Path,
    *argv: str,
    kind: Kind,
    preset: str = "",
    cap: int | None = None,
    heap: int | None = None,
    tracemalloc: int = 0,
    path: str = "",
) -> Launch:
    own = tmp_path / "presets"
    own.mkdir(exist_ok=True)
    (own / "mine.toml").write_text('old = "64M"\nsemi = "2M"\nflags = ["--stack-size=1500"]')
    return await prepare(
        TaskSpec(
            argv=argv,
            cwd=str(tmp_path),
            kind=kind,
            preset=preset,
            tracemalloc=tracemalloc,
            limits=Limits(cap_bytes=cap, heap_bytes=heap),
        ),
        task_id="k7",
        attempt=1,
        environment={"PATH": f"{path}:/usr/bin:/bin"},
        cap_bytes=cap,
        cache=tmp_path / "runtimes.json",
        rlimited=False,
        own_presets=own,
    )


def run(launch: Launch) -> str:
    done = subprocess.run(
        launch.argv, env=launch.env, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("name", ["lean", "standard", "large-context", "worker", "production"])
async def test_v8_has_the_limit_and_the_flags(tmp_path: Path, node_dir: str, name: str) -> None:
    preset = presets.find(name, tmp_path)
    argv = ("node", "-e", LIMIT)
    launch = await prepared(tmp_path, *argv, kind=Kind.NODE, preset=name, path=node_dir)
    assert launch.heap_limit_bytes == preset.limit_bytes
    assert run(launch) == str(preset.limit_bytes)
    assert set(preset.flags) <= set(launch.argv)
    assert launch.notes == ()


async def test_a_programs_own_optimize_for_size_is_known(tmp_path: Path, node_dir: str) -> None:
    for more in ({"cap": 500 * MIB}, {"heap": 300 * MIB}):
        argv = ("node", "--optimize_for_size", "-e", LIMIT)
        launch = await prepared(tmp_path, *argv, kind=Kind.NODE, path=node_dir, **more)
        assert run(launch) == str(launch.heap_limit_bytes)


async def test_an_operators_own(tmp_path: Path, node_dir: str) -> None:
    argv = ("node", "-e", LIMIT)
    launch = await prepared(tmp_path, *argv, kind=Kind.NODE, preset="mine", path=node_dir)
    assert run(launch).startswith(str(70 * MIB))
    assert "--stack-size=1500" in " ".join((*launch.argv, launch.env["NODE_OPTIONS"]))


async def test_heap_wins_and_the_flags_are_kept(tmp_path: Path, node_dir: str) -> None:
    launch = await prepared(
        tmp_path,
        "node",
        "-e",
        LIMIT,
        kind=Kind.NODE,
        preset="worker",
        heap=300 * MIB,
        cap=500 * MIB,
        path=node_dir,
    )
    assert run(launch) == str(300 * MIB)
    assert "--optimize-for-size" in launch.argv


async def test_a_program_of_its_own_gets_what_the_environment_carries(
    tmp_path: Path, node_dir: str
) -> None:
    agent = tmp_path / "agent"
    agent.write_text(f"#!/usr/bin/env node\nconst v8 = require('v8'); {LIMIT}")
    agent.chmod(0o755)
    launch = await prepared(tmp_path, "./agent", kind=Kind.NODE, preset="lean", path=node_dir)
    assert run(launch) == str(268 * MIB)
    assert launch.heap_limit_bytes == 268 * MIB
    assert "--optimize-for-size only on its command line: left out" in launch.notes[0]


async def test_node_inside_a_command(tmp_path: Path, node_dir: str) -> None:
    launch = await prepared(
        tmp_path, "sh", "-c", f"node -e '{LIMIT}'; :", kind=Kind.COMMAND, preset="lean",
        cap=400 * MIB, path=node_dir,
    )  # fmt: skip
    assert run(launch) == str(268 * MIB)
    assert any("--optimize-for-size belongs on Node's own" in note for note in launch.notes)


async def test_what_a_preset_cannot_do_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Python has neither"):
        await prepared(tmp_path, "python3", kind=Kind.PYTHON, preset="lean")
    with pytest.raises(UsageError, match="no preset 'leen'"):
        await prepared(tmp_path, "node", kind=Kind.NODE, preset="leen")
    with pytest.raises(Refused, match=r"needs 100M beside it: 368M"):
        await prepared(tmp_path, "node", kind=Kind.NODE, preset="lean", cap=300 * MIB)


# --- tracemalloc ---------------------------------------------------------------------------------
@pytest.mark.parametrize("kind", [Kind.PYTHON, Kind.COMMAND])
async def test_python_remembers_allocations(tmp_path: Path, kind: Kind) -> None:
    code = "import tracemalloc; print(tracemalloc.get_traceback_limit(), tracemalloc.is_tracing())"
    launch = await prepared(tmp_path, sys.executable, "-c", code, kind=kind, tracemalloc=7)
    assert run(launch) == "7 True"
    plain = await prepared(tmp_path, sys.executable, "-c", code, kind=kind)
    assert run(plain) == "1 False"


async def test_tracemalloc_elsewhere_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Node has none"):
        await prepared(tmp_path, "node", kind=Kind.NODE, tracemalloc=1)
    with pytest.raises(UsageError, match="101 frames"):
        await prepared(tmp_path, "python3", kind=Kind.PYTHON, tracemalloc=101)


# --- the preload ---------------------------------------------------------------------------------
async def looked_into(
    tmp_path: Path, *argv: str, kind: Kind, path: str = "", rlimited: bool = False, **more: Any
) -> Launch:
    return await prepare(
        TaskSpec(argv=argv, cwd=str(tmp_path), kind=kind, **more),
        task_id="k7",
        attempt=1,
        environment={"PATH": f"{path}:/usr/bin:/bin"},
        cap_bytes=200 * MIB,
        cache=tmp_path / "runtimes.json",
        rlimited=rlimited,
        preload=placed(tmp_path),
        socket=str(tmp_path / "worker.sock"),
    )


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[socket.socket]:
    """What listens where the preload reports."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "worker.sock"))
        listener.listen()
        listener.settimeout(30)
        yield listener


def heard(engine: socket.socket, launch: Launch) -> dict[str, Any]:
    """What the launched process says first."""
    with subprocess.Popen(launch.argv, env=launch.env) as process:
        worker, _ = engine.accept()
        with worker, worker.makefile("rb") as lines:
            hello: dict[str, Any] = json.loads(lines.readline())
        process.kill()
    return hello


@pytest.mark.parametrize("kind", [Kind.NODE, Kind.COMMAND])
async def test_node_says_hello(
    tmp_path: Path, node_dir: str, engine: socket.socket, kind: Kind
) -> None:
    argv = ("node", "-e", "setInterval(() => {}, 1000)")
    launch = await looked_into(tmp_path, *argv, kind=kind, path=node_dir)
    hello = heard(engine, launch)
    assert (hello["type"], hello["task"], hello["runtime"]) == ("hello", "k7.1", "node")
    assert launch.notes == ()


@pytest.mark.parametrize("kind", [Kind.PYTHON, Kind.COMMAND])
async def test_python_says_hello(tmp_path: Path, engine: socket.socket, kind: Kind) -> None:
    argv = (sys.executable, "-c", "import time; time.sleep(60)")
    launch = await looked_into(tmp_path, *argv, kind=kind)
    hello = heard(engine, launch)
    assert (hello["type"], hello["task"], hello["runtime"]) == ("hello", "k7.1", "python")


@pytest.mark.parametrize("kind", list(Kind))
async def test_nothing_is_put_inside_where_that_was_asked(tmp_path: Path, kind: Kind) -> None:
    program = "node" if kind is Kind.NODE else sys.executable
    path = str(Path(nodes()[0]).parent)
    launch = await looked_into(tmp_path, program, kind=kind, path=path, preload=False)
    assert launch.env["HEAPTUI_PRELOAD"] == "off"
    assert "PYTHONPATH" not in launch.env
    assert "--require" not in launch.env.get("NODE_OPTIONS", "")


async def test_node_starts_under_its_data_limit_with_the_preload(
    tmp_path: Path, node_dir: str, engine: socket.socket
) -> None:
    argv = ("node", "-e", "setInterval(() => {}, 1000)")
    for kind in (Kind.NODE, Kind.COMMAND):
        launch = await looked_into(tmp_path, *argv, kind=kind, path=node_dir, rlimited=True)
        assert launch.data_floor_bytes is not None
        limited = ("/bin/sh", "-c", 'ulimit -d "$1" && shift && exec "$@"', "sh")
        floor = str(launch.data_floor_bytes >> 10)
        under = msgspec.structs.replace(launch, argv=(*limited, floor, *launch.argv))
        assert heard(engine, under)["runtime"] == "node"


async def test_a_cap_that_holds_node_but_not_the_preload(tmp_path: Path, node_dir: str) -> None:
    with pytest.raises(Refused) as caught:
        await prepare(
            TaskSpec(argv=("node", "x"), cwd=str(tmp_path), kind=Kind.NODE),
            task_id="k7",
            attempt=1,
            environment={"PATH": node_dir},
            cap_bytes=80 * MIB,
            cache=tmp_path / "runtimes.json",
            rlimited=False,
            preload=placed(tmp_path),
            socket="/x",
        )
    assert "--cap 96M, or --no-preload" in caught.value.remedy
