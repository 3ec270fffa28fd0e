"""Files as they come: written otherwise, cut off, forged, of another format."""

from __future__ import annotations

import gzip
import json
import random
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from heaptui.errors import Refused, Unreadable
from heaptui.heap.analysis import room
from heaptui.heap.analysis.graph import Graph
from heaptui.heap.analysis.strings_table import decoded
from heaptui.heap.analysis.v8_file import memory_needed
from tests.unit.heap.core.hand_made import (
    EDGE_FIELDS,
    NODE_FIELDS,
    Drawing,
    Node,
    drawn,
    loaded,
    write,
)

SECTIONS = (
    *("snapshot", "nodes", "edges", "trace_function_infos", "trace_tree", "samples", "locations"),
    "strings",
)


def small() -> Drawing:
    heap = Drawing()
    top = heap.root()
    one = heap.node("Message", size=24, place=(4, 5, 6))
    text = heap.node('said "]}" and left', "string", 32)
    heap.edge(top, one, "message")
    heap.edge(one, text, "text")
    heap.edge(one, top, 3, "element")
    return heap


def same(one: Graph, other: Graph) -> bool:
    return (
        one.retained.tolist() == other.retained.tolist()
        and one.distance.tolist() == other.distance.tolist()
        and list(one.class_names) == list(other.class_names)
        and one.node_id.tolist() == other.node_id.tolist()
        and [one.strings[i] for i in one.node_name] == [other.strings[i] for i in other.node_name]
    )


def refused(path: Path) -> Unreadable:
    with pytest.raises(Unreadable) as caught:
        loaded(path)
    return caught.value


# --- written otherwise ---------------------------------------------------------------------------
@pytest.mark.parametrize(
    "written",
    [
        pytest.param(json.dumps, id="spaces"),
        pytest.param(lambda document: json.dumps(document, separators=(",", ":")), id="none"),
        pytest.param(lambda document: json.dumps(document, indent="\t") + "\r\n", id="lines"),
        pytest.param(lambda document: "\ufeff \n" + json.dumps(document), id="byte order mark"),
        pytest.param(
            lambda document: re.sub(r", (?=\d)", "\n,", json.dumps(document)), id="as V8 has it"
        ),
    ],
)
def test_white_space_is_the_writers_choice(tmp_path: Path, written: Any) -> None:
    file = write(tmp_path / "other.heapsnapshot", written(small().document()))
    assert same(loaded(file), drawn(tmp_path, small()))


@given(
    st.permutations([*NODE_FIELDS, "something_new"]),
    st.permutations([*EDGE_FIELDS, "something_else"]),
    st.permutations(SECTIONS),
)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_fields_and_sections_come_in_any_order(
    tmp_path: Path, node_fields: list[str], edge_fields: list[str], sections: list[str]
) -> None:
    document = small().document(node_fields=node_fields, edge_fields=edge_fields)
    file = write(tmp_path / "other.heapsnapshot", {name: document[name] for name in sections})
    assert same(loaded(file), drawn(tmp_path, small()))


def test_what_newer_writers_add_is_passed_over(tmp_path: Path) -> None:
    document = {
        "version": "9 ]}",
        **small().document(),
        "more": {"deep": [["]", {"nodes": [1]}], 'a "quoted\\" word']},
        "flag": None,
    }
    assert same(loaded(write(tmp_path / "a", document)), drawn(tmp_path, small()))


def test_older_files_have_neither_locations_nor_detachedness(tmp_path: Path) -> None:
    document = small().document(node_fields=[*NODE_FIELDS[:5]])
    del document["locations"], document["samples"]
    del document["snapshot"]["meta"]["location_fields"]
    graph = loaded(write(tmp_path / "a", document))
    assert graph.locations is None
    assert same(graph, drawn(tmp_path, small()))


def test_locations_are_kept_by_node(tmp_path: Path) -> None:
    heap = small()
    heap.nodes += [Node("f", "closure", place=(9, 1, 2))]
    document = heap.document()
    found = document["locations"]
    document["locations"] = found[4:] + found[:4]
    places = loaded(write(tmp_path / "a", document)).locations
    assert places is not None
    assert places.node.tolist() == [2, 4]
    assert places.script.tolist() == [4, 9]
    assert places.line.tolist() == [5, 1]
    assert places.column.tolist() == [6, 2]


# --- strings -------------------------------------------------------------------------------------
@given(st.lists(st.text(), min_size=1, max_size=8, unique=True))
@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@pytest.mark.parametrize("ascii_only", [True, False])
def test_any_text_survives(tmp_path: Path, ascii_only: bool, texts: list[str]) -> None:
    heap = Drawing()
    for text in texts:
        heap.root(text)
    written = json.dumps(heap.document(), ensure_ascii=ascii_only)
    graph = loaded(write(tmp_path / "a", written.encode("utf-8", "surrogatepass")))
    names = [graph.strings[int(index)] for index in graph.node_name[1:]]
    assert names == texts
    assert all(
        graph.strings.length(int(index)) >= len(text)
        for index, text in zip(graph.node_name[1:], texts, strict=True)
    )


def test_names_with_escape_sequences_are_data(tmp_path: Path) -> None:
    name = '\x1b]0;owned\x07\x1b[2J[red]{"nodes":[1]}\\u0041 \u202e'
    heap = Drawing()
    heap.root(name)
    graph = drawn(tmp_path, heap)
    assert graph.class_names[graph.class_of[1]] == name


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (rb"\ud83d\ude00 ok", "😀 ok"),
        (rb"half \ud83d pair", "half \ufffd pair"),
        (rb"\ude00", "\ufffd"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (rb"\q and \u12", "q and u12"),
        (rb"\"\\\/\b\f\n\r\t", '"\\/\b\f\n\r\t'),
        (b"tab\tand\nline", "tab\tand\nline"),
    ],
)
def test_what_is_no_text_is_shown_as_such(written: bytes, text: str) -> None:
    found = decoded(written)
    assert found == text
    found.encode()


# --- cut off, forged, foreign --------------------------------------------------------------------
@pytest.mark.parametrize("indent", [None, 1])
def test_a_file_cut_anywhere_is_known_as_cut(tmp_path: Path, indent: int | None) -> None:
    whole = json.dumps(small().document(), indent=indent).encode()
    for end in range(len(whole)):
        error = refused(write(tmp_path / "cut.heapsnapshot", whole[:end]))
        assert "cut.heapsnapshot" in error.what
    assert loaded(write(tmp_path / "whole", whole)).nodes == 4


def changed(**counts: int) -> dict[str, Any]:
    document = small().document()
    document["snapshot"].update(counts)
    return document


@pytest.mark.parametrize(
    "forged",
    [
        {"node_count": 10_000_000},
        {"node_count": 4_294_967_295},
        {"node_count": 1 << 80},
        {"node_count": -1},
        {"node_count": 0},
        {"node_count": 5},
        {"node_count": 3},
        {"edge_count": 1_000_000_000},
        {"edge_count": 5},
        {"edge_count": 3},
        {"edge_count": 0},
        {"root_index": 7},
        {"root_index": 3},
    ],
)
def test_counts_that_the_arrays_belie_are_not_believed(
    tmp_path: Path, forged: dict[str, int]
) -> None:
    refused(write(tmp_path / "forged", changed(**forged)))


@pytest.mark.parametrize(
    ("section", "place", "value"),
    [
        ("nodes", 7, 99),
        ("nodes", 8, 1_000_000),
        ("nodes", 10, 1 << 63),
        ("nodes", 11, 4),
        ("nodes", 11, 1 << 40),
        ("nodes", 0, -1),
        ("nodes", 0, 1.5),
        ("nodes", 0, "9"),
        ("nodes", 0, None),
        ("nodes", 0, [9]),
        ("edges", 0, 99),
        ("edges", 1, 1_000_000),
        ("edges", 2, 1),
        ("edges", 2, 7 * 4),
        ("edges", 2, 7 << 58),
        ("edges", 2, 10**30),
        ("locations", 0, 1),
        ("locations", 0, 7 * 4),
        ("locations", 0, -7),
        ("strings", 1, 5),
        ("strings", 1, ["x"]),
    ],
)
def test_numbers_that_lead_nowhere_are_not_followed(
    tmp_path: Path, section: str, place: int, value: object
) -> None:
    document = small().document()
    document[section][place] = value
    refused(write(tmp_path / "forged", document))


@pytest.mark.parametrize("section", ["nodes", "edges", "locations"])
def test_more_or_fewer_numbers_than_said_are_refused(tmp_path: Path, section: str) -> None:
    for change in (lambda numbers: [*numbers, 0], lambda numbers: numbers[:-1]):
        document = small().document()
        document[section] = change(document[section])
        refused(write(tmp_path / "forged", document))


def test_a_part_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    whole = json.dumps(small().document())
    refused(write(tmp_path / "twice", whole[:-1] + ', "nodes": [0]}'))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "0 bytes"),
        (b"  \n", "white space"),
        (b"not a snapshot", "not a heap snapshot"),
        (b"\x00" * 5000, "not a heap snapshot"),
        (b"[1, 2, 3]", "not a heap snapshot"),
        (b"{}", "no snapshot"),
        (b'{"name": "package", "version": "1.0.0"}', "no snapshot"),
        (b'{"head": {"callFrame": {}}, "samples": []}', "sampling heap profile"),
        (b'{"nodes": [{"id": 1}], "startTime": 5}', "not a heap snapshot"),
        (b'{"snapshot": 5}', ""),
        (b'{"snapshot": {"meta": {}}, "nodes": []}', "does not say"),
        (gzip.compress(b'{"snapshot":{}}', mtime=0), "gunzip"),
        (b"PK\x03\x04" + b"\x00" * 100, "zip"),
    ],
)
def test_other_formats_are_named(tmp_path: Path, content: bytes, said: str) -> None:
    assert said in str(refused(write(tmp_path / "other", content)))


def test_what_is_no_file_is_said_to_be_none(tmp_path: Path) -> None:
    refused(tmp_path)
    refused(tmp_path / "missing")


@given(st.integers(0, 1 << 32))
@settings(
    max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_damaged_bytes_are_refused_or_read_and_nothing_else(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    content = bytearray(json.dumps(small().document()).encode())
    for _ in range(chance.randint(1, 4)):
        place = chance.randrange(len(content))
        what = chance.randrange(3)
        if what == 0:
            content[place] = chance.choice(b'0129,[]{}"\\: \n-e')
        elif what == 1:
            del content[place : place + chance.randint(1, 30)]
        else:
            content[place:place] = content[chance.randrange(len(content)) :][: chance.randint(1, 9)]
    file = write(tmp_path / "damaged", bytes(content))
    try:
        graph = loaded(file)
    except Unreadable:
        return
    assert int(graph.retained[0]) == int(graph.self_size.sum())


# --- memory --------------------------------------------------------------------------------------
def test_what_reading_needs_is_known_before(tmp_path: Path) -> None:
    file = write(tmp_path / "a", small().document())
    least = memory_needed(file)
    forged = write(tmp_path / "b", changed(node_count=10_000_000, edge_count=100_000_000))
    # a claim counts only as far as the file has room for it
    assert least <= memory_needed(forged) < least + (1 << 20)


def test_it_grows_with_what_the_file_holds(tmp_path: Path) -> None:
    head = json.dumps(changed(node_count=10_000_000, edge_count=30_000_000))
    file = write(tmp_path / "large", head)
    with file.open("r+b") as sparse:
        sparse.truncate(600_000_000)
    assert memory_needed(file) > 1_000_000_000


def test_what_there_is_no_room_for_is_refused_with_the_figures() -> None:
    with pytest.raises(Refused, match="1024T"):
        room.refuse_without(1 << 50, "large.heapsnapshot")
    room.refuse_without(1 << 20, "small.heapsnapshot")
    assert room.room() > 0
