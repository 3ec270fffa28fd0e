"""Where the preload lies, and what of the environment loads it: asked of real Nodes."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from heaptui.errors import StorageTrouble
from heaptui.runtime.preload.place import Preload, environment, placed
from tests.integration.runtime.preload_server import nodes

LOADED = "console.log(typeof globalThis[Symbol.for('heaptui.serve')])"


@pytest.fixture(params=nodes(), ids=str)
def node(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


def loaded(node: Path, preload: Preload, cwd: Path, **more: str) -> str:
    base = {"PATH": os.environ["PATH"], "HEAPTUI_TASK": "k7.1", **more}
    env = environment(base, preload, str(cwd / "none.sock"), node_version=None)
    return subprocess.check_output([node, "-e", LOADED], env=env, text=True, timeout=30).strip()


def test_it_is_private_and_placed_once(tmp_path: Path) -> None:
    first = placed(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "preload").rglob("*")}
    assert placed(tmp_path) == first
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "preload").rglob("*")} == before
    for path in (tmp_path / "preload", *before):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path
    assert first.node.is_file()
    assert (first.python / "sitecustomize.py").is_file()
    assert first.node.parent == first.python.parent


def test_what_is_damaged_or_gone_is_mended(tmp_path: Path) -> None:
    preload = placed(tmp_path)
    whole = preload.node.read_bytes()
    preload.node.write_bytes(whole[:100])
    shutil.rmtree(preload.python)
    assert placed(tmp_path) == preload
    assert preload.node.read_bytes() == whole
    assert (preload.python / "sitecustomize.py").is_file()


def test_an_older_version_stays(tmp_path: Path) -> None:
    older = tmp_path / "preload" / "0123456789abcdef" / "node.cjs"
    older.parent.mkdir(parents=True)
    older.write_text("// what a task of yesterday was started with")
    placed(tmp_path)
    assert older.read_text().startswith("//")


def test_a_place_that_cannot_be_written_is_storage_trouble(tmp_path: Path) -> None:
    (tmp_path / "preload").write_text("a file")
    with pytest.raises(StorageTrouble, match="preload") as caught:
        placed(tmp_path)
    assert "--no-preload" in caught.value.remedy


@pytest.mark.parametrize("name", ["plain", "with a space", 'with "quotes"', "back\\slash", "ünï"])
def test_node_loads_it_from_any_directory(node: Path, tmp_path: Path, name: str) -> None:
    preload = placed(tmp_path / name)
    assert loaded(node, preload, tmp_path) == "function"


def test_what_the_operator_set_is_kept_and_ours_comes_once(node: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.cjs"
    own.write_text("globalThis.own = (globalThis.own || 0) + 1")
    base = {"NODE_OPTIONS": f"--require {own} --no-warnings", "PYTHONPATH": "/a::/b"}
    preloads = [placed(tmp_path / state) for state in ("one", "the other")]
    env = dict(base)
    for preload in (preloads[0], preloads[1], preloads[1], preloads[0]):
        env = environment(env, preload, "/s", node_version="v20.20.2")
        assert env["NODE_OPTIONS"].count("node.cjs") == 1
        assert env["NODE_OPTIONS"].startswith(base["NODE_OPTIONS"])
        assert str(preload.node) in env["NODE_OPTIONS"]
        assert env["PYTHONPATH"] == f"{preload.python}:/a::/b"
    assert env["HEAPTUI_SOCKET"] == "/s"
    code = "console.log(own, process.noDeprecation, process.execArgv.length)"
    out = subprocess.check_output([node, "-e", code], env={**os.environ, **env}, text=True)
    assert out.split()[0] == "1"


@pytest.mark.parametrize(
    ("version", "expected"), [("v18.0.0", True), ("v17.9.1", False), ("v8.17.0", False)]
)
def test_an_old_node_is_left_alone(tmp_path: Path, version: str, expected: bool) -> None:
    env = environment({}, placed(tmp_path), "/s", node_version=version)
    assert ("NODE_OPTIONS" in env) is expected


def test_an_agents_children_survive_an_upgrade(node: Path, tmp_path: Path) -> None:
    package = tmp_path / "heaptui-of-yesterday"
    package.mkdir()
    preload = placed(package)
    state = tmp_path / "state"
    shutil.move(package, state)
    moved = Preload(
        state / preload.node.relative_to(package), state / preload.python.relative_to(package)
    )
    placed(state)
    assert loaded(node, moved, tmp_path) == "function"
