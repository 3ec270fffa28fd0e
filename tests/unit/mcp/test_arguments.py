"""What agents are told of the tools is what the tools take."""

from __future__ import annotations

import json

import pytest

from heaptui.mcp.arguments import DEFINITIONS


@pytest.mark.parametrize("definition", DEFINITIONS, ids=lambda definition: definition.name)
def test_a_schema_stands_alone_and_says_all(definition) -> None:
    schema = definition.schema()
    assert schema["type"] == "object"
    assert schema["additionalProperties"] is False
    # clients of models that know few of its words must take it
    text = json.dumps(schema)
    for word in ("$ref", "$defs", "anyOf", "oneOf", "null"):
        assert word not in text
    assert set(schema.get("required", ["path"])) <= set(schema["properties"])
    for name, each in schema["properties"].items():
        assert each["description"].endswith("."), name
        assert each.get("type") or each.get("enum"), name


def test_the_five_tools_are_there_and_two_of_them_change_files() -> None:
    names = [definition.name for definition in DEFINITIONS]
    assert names == ["read", "grep", "list", "write", "edit"]
    assert [each.name for each in DEFINITIONS if each.writes] == ["write", "edit"]
    assert sum(len(each.description) for each in DEFINITIONS) < 2500


def test_what_is_required() -> None:
    required = {each.name: each.schema().get("required", []) for each in DEFINITIONS}
    assert required == {
        "read": ["path"],
        "grep": ["pattern"],
        "list": [],
        "write": ["path", "content"],
        "edit": ["path", "old", "new"],
    }
