"""Launching with real runtimes: what `prepare` returns is run, and asked what it got."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from heaptui.errors import Refused, UsageError
from heaptui.model import Kind, Limits, TaskSpec
from heaptui.runtime import node
from heaptui.runtime.launch import Launch, prepare

MIB = 1 << 20
LIMIT = "console.log(v8.getHeapStatistics().heap_size_limit)"


def nodes() -> list[Path]:
    """Every different Node of this machine: at least one, `make setup` sees to it."""
    found = [node.locate(dict(os.environ), Path("/")), node.wheel()]
    return list(dict.fromkeys(path for path in found if path))


@pytest.fixture(params=nodes(), ids=str)
def node_dir(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A directory for the PATH whose `node` is one of them."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "node").symlink_to(request.param)
    return str(tmp_path / "bin")


async def prepared(
    tmp_path: Path,
    *argv: str,
    kind: Kind = Kind.COMMAND,
    cap: int | None = None,
    heap: int | None = None,
    env: dict[str, str] | None = None,
    path: str = "",
    rlimited: bool = False,
    cwd: Path | None = None,
) -> Launch:
    spec = TaskSpec(
        argv=argv,
        cwd=str(cwd or tmp_path),
        name="t",
        kind=kind,
        limits=Limits(cap_bytes=cap, heap_bytes=heap),
        env=env or {},
    )
    return await prepare(
        spec,
        task_id="k7",
        attempt=1,
        environment={"PATH": f"{path}:/usr/bin:/bin"},
        cap_bytes=cap,
        cache=tmp_path / "runtimes.json",
        rlimited=rlimited,
    )


def run(launch: Launch, **more: Any) -> str:
    done = subprocess.run(
        launch.argv, env=launch.env, capture_output=True, text=True, timeout=60, check=False, **more
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


# --- node ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("heap_mb", [19, 64, 300, 1000, 4096])
async def test_v8_gets_the_heap_that_was_asked_for(
    tmp_path: Path, node_dir: str, heap_mb: int
) -> None:
    launch = await prepared(
        tmp_path, "node", "-e", LIMIT, kind=Kind.NODE, heap=heap_mb * MIB, path=node_dir
    )
    assert launch.heap_limit_bytes == heap_mb * MIB
    assert run(launch) == str(heap_mb * MIB)


@pytest.mark.parametrize("cap_mb", [300, 2048])
async def test_without_heap_the_limit_lies_100m_below_the_cap(
    tmp_path: Path, node_dir: str, cap_mb: int
) -> None:
    launch = await prepared(
        tmp_path, "node", "-e", LIMIT, kind=Kind.NODE, cap=cap_mb * MIB, path=node_dir
    )
    assert run(launch) == str((cap_mb - 100) * MIB) == str(launch.heap_limit_bytes)
    assert launch.notes == ()


async def test_children_have_the_limit_too(tmp_path: Path, node_dir: str) -> None:
    code = f"console.log(child_process.execFileSync('node', ['-e', '{LIMIT}']).toString())"
    launch = await prepared(
        tmp_path, "node", "-e", code, kind=Kind.NODE, heap=200 * MIB, path=node_dir
    )
    assert run(launch) == str(200 * MIB)


async def test_a_flag_the_operator_named_wins_over_the_derived_one(
    tmp_path: Path, node_dir: str
) -> None:
    for argv, env in (
        (("node", "-e", LIMIT), {"NODE_OPTIONS": "--max_old_space_size=200 --no-warnings"}),
        (("node", "--max-old-space-size=200", "-e", LIMIT), {}),
    ):
        launch = await prepared(
            tmp_path, *argv, kind=Kind.NODE, cap=1024 * MIB, env=env, path=node_dir
        )
        assert run(launch) == str(launch.heap_limit_bytes) == str((200 + 3 * 16) * MIB)
        assert "max-old-space-size=200 is kept" in launch.notes[0]
        assert "--no-warnings" in launch.env["NODE_OPTIONS"] or not env


async def test_heap_wins_over_node_options(tmp_path: Path, node_dir: str) -> None:
    launch = await prepared(
        tmp_path,
        "node",
        "-e",
        LIMIT,
        kind=Kind.NODE,
        heap=150 * MIB,
        env={"NODE_OPTIONS": "--max-old-space-size=900"},
        path=node_dir,
    )
    assert run(launch) == str(150 * MIB)
    assert "overridden by --heap" in launch.notes[0]


async def test_a_script_is_run_by_node(tmp_path: Path, node_dir: str) -> None:
    (tmp_path / "agent.mjs").write_text("console.log(process.argv.slice(2).join())")
    launch = await prepared(tmp_path, "agent.mjs", "a", "b", kind=Kind.NODE, path=node_dir)
    assert run(launch, cwd="/") == "a,b"


async def test_a_program_written_for_node_gets_its_flags_by_the_environment(
    tmp_path: Path, node_dir: str
) -> None:
    agent = tmp_path / "agent"
    agent.write_text(f"#!/usr/bin/env node\nconst v8 = require('v8'); {LIMIT}")
    agent.chmod(0o755)
    launch = await prepared(tmp_path, "./agent", kind=Kind.NODE, heap=200 * MIB, path=node_dir)
    assert launch.argv == (str(agent),)
    assert run(launch) == str(200 * MIB)


async def test_a_path_without_node_gets_the_wheels(tmp_path: Path) -> None:
    if node.wheel() is None:
        pytest.skip("the wheel is not installed: the system's Node is used")
    spec = TaskSpec(argv=("node", "-p", "1 + 1"), cwd=str(tmp_path), kind=Kind.NODE)
    launch = await prepare(
        spec,
        task_id="k7",
        attempt=1,
        environment={"PATH": str(tmp_path)},
        cap_bytes=None,
        cache=tmp_path / "runtimes.json",
        rlimited=False,
    )
    assert launch.argv[0] == str(node.wheel())
    assert str(node.wheel()) in launch.notes[0]
    assert run(launch) == "2"


async def test_it_starts_and_works_under_the_least_data_limit(
    tmp_path: Path, node_dir: str
) -> None:
    cap = 300 * MIB
    code = "const a = []; for (let i = 0; i < 2e6; i++) a.push({i}); console.log(a.length)"
    launch = await prepared(
        tmp_path, "node", "-e", code, kind=Kind.NODE, cap=cap, path=node_dir, rlimited=True
    )
    assert launch.data_floor_bytes is not None
    need = launch.data_floor_bytes - cap
    assert run(_under(launch, launch.data_floor_bytes)) == "2000000"
    # the floor is the runtime's own, and no guess: well below it nothing starts
    hopeless = _under(launch, need - 24 * MIB)
    with pytest.raises((subprocess.CalledProcessError, subprocess.TimeoutExpired)):
        subprocess.run(hopeless.argv, env=hopeless.env, capture_output=True, timeout=3, check=True)


def _under(launch: Launch, data_bytes: int) -> Launch:
    import msgspec

    limited = ("/bin/sh", "-c", 'ulimit -d "$1" && shift && exec "$@"', "sh")
    return msgspec.structs.replace(launch, argv=(*limited, str(data_bytes >> 10), *launch.argv))


async def test_a_node_is_asked_once(tmp_path: Path) -> None:
    log = tmp_path / "asked"
    real = nodes()[0]
    fake = tmp_path / "bin" / "node"
    fake.parent.mkdir()
    fake.write_text(f'#!/bin/sh\necho x >> {log}\nexec {real} "$@"\n')
    fake.chmod(0o755)
    cache = tmp_path / "runtimes.json"
    for _ in range(2):
        await prepared(tmp_path, "node", "x", kind=Kind.NODE, path=str(fake.parent))
    assert log.read_text() == "x\n"
    assert cache.stat().st_mode & 0o077 == 0
    cache.write_text("{damaged")
    await prepared(tmp_path, "node", "x", kind=Kind.NODE, path=str(fake.parent))
    assert log.read_text() == "x\nx\n"
    assert json.loads(cache.read_text())
    other = tmp_path / "elsewhere"  # a shim may pick another version there
    other.mkdir()
    await prepared(tmp_path, "node", "x", kind=Kind.NODE, path=str(fake.parent), cwd=other)
    assert log.read_text() == "x\nx\nx\n"


async def test_something_else_called_node_is_refused(tmp_path: Path) -> None:
    fake = tmp_path / "node"
    fake.write_text("#!/bin/sh\necho 'packet radio node' >&2; exit 1\n")
    fake.chmod(0o755)
    with pytest.raises(Refused, match="packet radio node") as caught:
        await prepared(tmp_path, "node", "x", kind=Kind.NODE, path=str(tmp_path))
    assert "--kind command" in caught.value.remedy


# --- python --------------------------------------------------------------------------------------
async def test_python_is_unbuffered_and_keeps_one_arena(tmp_path: Path) -> None:
    (tmp_path / "agent.py").write_text(
        "import os, sys, faulthandler\n"
        "print(sys.stdout.write_through, faulthandler.is_enabled(), os.environ['MALLOC_ARENA_MAX'])"
    )
    launch = await prepared(tmp_path, "agent.py", kind=Kind.PYTHON)
    assert run(launch) == "True True 1"
    own = await prepared(tmp_path, "agent.py", kind=Kind.PYTHON, env={"MALLOC_ARENA_MAX": "4"})
    assert run(own) == "True True 4"


async def test_python_starts_under_its_data_limit_and_a_burst_is_a_memory_error(
    tmp_path: Path,
) -> None:
    code = "try:\n  b'x' * (500 << 20)\nexcept MemoryError: print('MemoryError')"
    launch = await prepared(
        tmp_path, sys.executable, "-c", code, kind=Kind.PYTHON, cap=100 * MIB, rlimited=True
    )
    assert launch.data_floor_bytes is not None
    assert run(_under(launch, launch.data_floor_bytes)) == "MemoryError"


# --- command -------------------------------------------------------------------------------------
async def test_a_command_is_run_as_it_is(tmp_path: Path) -> None:
    launch = await prepared(tmp_path, "sh", "-c", "echo $HEAPTUI_TASK", cap=100 * MIB)
    assert launch.data_floor_bytes is None
    assert "NODE_OPTIONS" not in launch.env
    assert run(launch) == "k7.1"


async def test_node_inside_a_command_starts_under_its_limits(tmp_path: Path, node_dir: str) -> None:
    launch = await prepared(
        tmp_path,
        "sh",
        "-c",
        f"node -e '{LIMIT}'; :",
        cap=300 * MIB,
        heap=200 * MIB,
        path=node_dir,
        rlimited=True,
    )
    assert launch.data_floor_bytes is not None
    limit = int(run(_under(launch, launch.data_floor_bytes)))
    assert 200 * MIB <= limit <= (200 + 192) * MIB
    assert launch.heap_limit_bytes is None


# --- what is refused -----------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("argv", "kind", "more", "what", "remedy"),
    [
        (("no-such-program",), Kind.COMMAND, {}, "'no-such-program'", "full path"),
        (("ls | wc",), Kind.COMMAND, {}, "'ls | wc'", "sh -c"),
        (("./plain",), Kind.COMMAND, {}, "plain is not executable", "chmod +x"),
        (("./absent",), Kind.COMMAND, {}, "absent does not exist", "--cwd"),
        (("./broken",), Kind.COMMAND, {}, "/no/such/interpreter", "Install"),
        (("./dir",), Kind.COMMAND, {}, "is a directory", "in it"),
        (("absent.py",), Kind.PYTHON, {}, "absent.py does not exist", "--cwd"),
        (("absent.js",), Kind.NODE, {}, "absent.js does not exist", "--cwd"),
        (("true",), Kind.COMMAND, {"cap": MIB}, "a command needs", "--cap 4.00M"),
        (("python3",), Kind.PYTHON, {"cap": 8 * MIB}, "Python needs", "--cap 16M"),
        (("node",), Kind.NODE, {"cap": 32 * MIB}, "Node.js needs", "--cap 64M"),
        (("node",), Kind.NODE, {"heap": MIB}, "V8 starts with", "--heap 19M"),
        (("node",), Kind.NODE, {"cap": 200 * MIB, "heap": 300 * MIB}, "not fit", "400M"),
    ],
)
async def test_what_cannot_start_is_refused_with_the_way_out(
    tmp_path: Path, argv: tuple[str, ...], kind: Kind, more: dict[str, int], what: str, remedy: str
) -> None:
    (tmp_path / "plain").write_text("text")
    (tmp_path / "dir").mkdir()
    (tmp_path / "broken").write_text("#!/no/such/interpreter\n")
    (tmp_path / "broken").chmod(0o755)
    with pytest.raises(Refused) as caught:
        await prepared(tmp_path, *argv, kind=kind, **more)  # type: ignore[arg-type]
    assert what in caught.value.what
    assert remedy in caught.value.remedy


@pytest.mark.parametrize(
    ("argv", "kind", "heap"),
    [
        ((), Kind.COMMAND, None),
        (("",), Kind.COMMAND, None),
        (("echo", "a\0b"), Kind.COMMAND, None),
        (("python3",), Kind.PYTHON, 300 * MIB),
        (("node", "--max-old-space-size=99", "x.js"), Kind.NODE, 300 * MIB),
    ],
)
async def test_a_request_that_contradicts_itself(
    tmp_path: Path, argv: tuple[str, ...], kind: Kind, heap: int | None
) -> None:
    with pytest.raises(UsageError) as caught:
        await prepared(tmp_path, *argv, kind=kind, heap=heap)
    assert caught.value.remedy


async def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="does not exist"):
        await prepared(tmp_path, "true", cwd=tmp_path / "absent")
    (tmp_path / "file").write_text("")
    with pytest.raises(Refused, match="is not a directory"):
        await prepared(tmp_path, "true", cwd=tmp_path / "file")
