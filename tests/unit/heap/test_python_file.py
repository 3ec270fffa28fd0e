"""Python snapshots as files: what is damaged, cut off or forged is refused before it costs."""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from heaptui.errors import Unreadable
from heaptui.heap.analysis import python_file
from heaptui.heap.analysis.graph import Graph
from heaptui.runtime import preload

PROBE = Path(str(preload.__path__[0])) / "python"
WRITER = """
import gc, os, sys
gc.disable()
names = {"__name__": "probe"}
exec(compile(open(sys.argv[1] + "/_heaptui_probe.py").read(), "_heaptui_probe.py", "exec"), names)
names["_where"] = sys.argv[1]
child = names["part"]("child")
class Odd(dict):
    __hash__ = None
    def keys(self): raise RuntimeError
    def __sizeof__(self): raise RuntimeError
    def __getattribute__(self, name): raise RuntimeError
class Text(str):
    def __getitem__(self, at): raise RuntimeError
class Meta(type):
    def __hash__(self): raise RuntimeError
    __eq__ = None
class Strange(metaclass=Meta):
    __slots__ = ("held",)
    __dict__ = property(lambda self: 1 / 0)
odd = Odd({"a": [1], Text("b"): 2, None: 3})
strange = Strange(); strange.held = "by a slot"
ring = []; ring.append(ring); rings = [ring, {"ring": ring}]
alike = ["x" * 1000 + str(i % 2) for i in range(10)]
lone = "\\ud800 and \\x1b[31m"
unreached = [[]]; unreached[0].append(unreached); del unreached
file = os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
sections = child["sections"]["Sections"](file)
objects = child["objects"]["Dump"](sections, child["sections"]["NODE"], lambda share: None)
objects.everything(child["standing"]())
sections.finish()
"""


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("python") / "one"
    subprocess.run([sys.executable, "-c", WRITER, str(PROBE), str(path)], check=True)
    return path


def load(path: Path) -> Graph:
    return python_file.load_python(path, lambda *_: None)


def nodes_named(graph: Graph, name: str) -> list[int]:
    return [node for node in range(graph.nodes) if graph.strings[graph.node_name[node]] == name]


def edges(graph: Graph, node: int) -> dict[str, int]:
    found = {}
    for edge in range(graph.first_edge[node], graph.first_edge[node + 1]):
        way, name = graph.edge_types[graph.edge_type[edge]], int(graph.edge_name[edge])
        found[str(name) if way in ("element", "hidden") else graph.strings[name]] = int(
            graph.edge_to[edge]
        )
    return found


def test_it_is_recognised_by_its_beginning(snapshot: Path) -> None:
    with snapshot.open("rb") as file:
        assert python_file.is_python(file.read(64))
    assert not python_file.is_python(b'{"snapshot":{"meta"')
    assert not python_file.is_python(b"")


def test_the_programs_own_code_is_never_run_and_its_objects_are_there(snapshot: Path) -> None:
    graph = load(snapshot)
    names = np.array(list(graph.class_names))[graph.class_of]
    (odd,) = np.flatnonzero(names == "__main__.Odd")
    assert {"a", "key"} <= set(edges(graph, int(odd)))
    (strange,) = np.flatnonzero(names == "__main__.Strange")
    held = edges(graph, int(strange))["held"]
    assert graph.strings[graph.node_name[held]] == "by a slot"
    assert nodes_named(graph, "\\ud800 and \x1b[31m")


def test_all_is_reached_from_the_root(snapshot: Path) -> None:
    graph = load(snapshot)
    seen, queue = {0}, [0]
    for node in queue:
        for target in graph.edge_to[graph.first_edge[node] : graph.first_edge[node + 1]]:
            if int(target) not in seen:
                seen.add(int(target))
                queue.append(int(target))
    assert len(seen) == graph.nodes
    assert graph.strings[graph.node_name[0]] == "(root)"


def test_equal_strings_have_one_text_and_those_that_only_begin_alike_have_two(
    snapshot: Path,
) -> None:
    graph = load(snapshot)
    alike = [
        node
        for node in range(graph.nodes)
        if graph.self_size[node] > 1000 and graph.strings[graph.node_name[node]] == "x" * 200
    ]
    texts = Counter(int(graph.node_name[node]) for node in alike)
    # the constant that they begin with is a third
    assert sorted(texts.values()) == [1, 5, 5]


def test_ids_are_different_and_those_of_other_types_at_one_address_too(snapshot: Path) -> None:
    graph = load(snapshot)
    assert len(np.unique(graph.node_id)) == graph.nodes


def test_places_are_sorted_and_name_files(snapshot: Path) -> None:
    graph = load(snapshot)
    assert graph.locations is not None
    assert (np.diff(graph.locations.node.astype(np.int64)) >= 0).all()
    files = {graph.strings[int(one)] for one in np.unique(graph.locations.script)}
    assert str(PROBE / "_heaptui_objects.py") in files


def test_every_cut_is_recognised(snapshot: Path, tmp_path: Path) -> None:
    whole = snapshot.read_bytes()
    cut = tmp_path / "cut"
    for size in (0, 1, 10, 22, 40, 100, *range(1000, len(whole), len(whole) // 40), len(whole) - 1):
        cut.write_bytes(whole[:size])
        with pytest.raises(Unreadable):
            load(cut)


def test_whatever_byte_is_changed_it_is_refused_or_a_whole_graph(
    snapshot: Path, tmp_path: Path
) -> None:
    whole = bytearray(_unpacked(snapshot.read_bytes()))
    changed = tmp_path / "changed"
    refused = 0
    for at in range(30, len(whole), len(whole) // 60):
        for value in (0xFF, 0x00):
            kept, whole[at] = whole[at], value
            changed.write_bytes(whole)
            whole[at] = kept
            try:
                graph = load(changed)
            except Unreadable:
                refused += 1
                continue
            assert (graph.edge_to < graph.nodes).all()
            assert (graph.node_name < len(graph.strings)).all()
            assert graph.first_edge[-1] == graph.edges
            assert (np.diff(graph.first_edge.astype(np.int64)) >= 0).all()
    assert refused


@pytest.mark.parametrize(
    "forged",
    [
        pytest.param(
            struct.pack("<4sIII", b"NODE", 0, 1 << 31, 1 << 31), id="longer than the file"
        ),
        pytest.param(struct.pack("<4sIII", b"NODE", 1, 16 << 20, 4) + b"aaaa", id="a bomb"),
        pytest.param(struct.pack("<4sIII", b"NODE", 1, 44, 4) + b"aaaa", id="no zlib"),
        pytest.param(struct.pack("<4sIII", b"NODE", 7, 4, 4) + b"aaaa", id="unknown codec"),
        pytest.param(struct.pack("<4sIII", b"EVIL", 0, 4, 4) + b"aaaa", id="unknown tag"),
        pytest.param(
            struct.pack("<4sIII", b"DONE", 0, 48, 48) + struct.pack("<6Q", *[1 << 60] * 6),
            id="counts without rows",
        ),
        pytest.param(
            struct.pack("<4sIII", b"DONE", 0, 48, 48) + struct.pack("<6Q", *[0] * 6), id="nothing"
        ),
        pytest.param(struct.pack("<4sIII", b"DONE", 0, 4, 4) + b"aaaa", id="a short end"),
    ],
)
def test_forged_parts_are_refused(forged: bytes, tmp_path: Path) -> None:
    path = tmp_path / "forged"
    header = b'{"python":"3.12.1","pid":1,"at":1.0,"order":"little"}\n'
    path.write_bytes(python_file.MAGIC + header + forged)
    with pytest.raises(Unreadable):
        load(path)


def test_another_version_says_so(snapshot: Path, tmp_path: Path) -> None:
    path = tmp_path / "newer"
    path.write_bytes(snapshot.read_bytes().replace(b"HEAP 1\n", b"HEAP 2\n", 1))
    with pytest.raises(Unreadable, match="another version"):
        load(path)


def _unpacked(data: bytes) -> bytes:
    """The same file without compression: a changed byte then reaches the arrays."""
    position = data.index(b"\n", len(python_file.MAGIC)) + 1
    parts = [data[:position]]
    while position < len(data):
        tag, codec, raw, stored = struct.unpack_from("<4sIII", data, position)
        body = data[position + 16 : position + 16 + stored]
        body = zlib.decompress(body) if codec else body
        parts.append(struct.pack("<4sIII", tag, 0, raw, raw) + body)
        position += 16 + stored
    return b"".join(parts)
