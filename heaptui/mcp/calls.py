"""One call of a tool: arguments checked, the tool asked, the answer as text. Knows no protocol."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from heaptui.errors import HeaptuiError, UsageError
from heaptui.mcp.arguments import DEFINITIONS, Arguments, Edit, Grep, List, Read, Write
from heaptui.tools import telling
from heaptui.tools.answers import Tag
from heaptui.tools.front import Tools
from heaptui.tools.workspace.tags import parsed

_TAKES = {definition.name: definition.takes for definition in DEFINITIONS}


class Told(Struct, frozen=True, kw_only=True):
    """The answer: `text` as it stands in files, apart from it the `notes` on it. `failed`: nothing
    was done, and the notes say why and what to do."""

    notes: str
    text: str = ""
    failed: bool = False


async def call(tools: Tools, name: str, arguments: Mapping[str, Any]) -> Told:
    """
    Raises:
        KeyError: there is no such tool.
    """
    takes = _TAKES[name]
    try:
        return await _asked(tools, _checked(name, takes, arguments))
    except HeaptuiError as error:
        return Told(notes=str(error), failed=True)


def _checked(name: str, takes: type[Arguments], arguments: Mapping[str, Any]) -> Arguments:
    # what some models send for an option that they leave out, numbers in quotation marks, and one
    # glob where a list is wanted
    given = {key: value for key, value in arguments.items() if value is not None}
    if isinstance(one := given.get("globs"), str):
        given["globs"] = [one]
    try:
        return msgspec.convert(given, takes, strict=False)
    except msgspec.ValidationError as error:
        fields = ", ".join(field.name for field in msgspec.structs.fields(takes))
        raise UsageError(f"Not the arguments of {name}: {error}.", f"It takes {fields}.") from error


async def _asked(tools: Tools, given: Arguments) -> Told:
    match given:
        case Read():
            text = await tools.read(
                given.path,
                offset=_or_none(given.offset),
                limit=_or_none(given.limit),
                start_byte=_or_none(given.byte),
                max_bytes=given.max_bytes,
                max_tokens=given.max_tokens,
            )
            return Told(text=telling.numbered(text), notes=_notes(telling.of_read(text, _option)))
        case Grep():
            found = await tools.grep(
                given.pattern,
                given.path,
                mode=given.mode,
                globs=tuple(given.globs),
                ignore_case=given.ignore_case,
                fixed=given.fixed,
                context=given.context,
                offset=given.offset,
            )
            lines = "\n".join(telling.found_lines(found))
            return Told(text=lines, notes=_notes(telling.of_grep(found, _option)))
        case List():
            listed = await tools.list(given.path)
            lines = "\n".join(map(telling.entry_line, listed.entries))
            return Told(text=lines, notes=_notes(telling.of_list(listed, _option)))
        case Write():
            written = await tools.write(
                given.path,
                given.content,
                expect=_tag(given.expect),
                create_only=given.create_only,
                parents=given.parents,
            )
        case Edit():
            written = await tools.edit(
                given.path,
                given.old,
                given.new,
                everywhere=given.all,
                expect=_tag(given.expect),
            )
    return Told(notes=_notes(telling.of_written(written)))


def _or_none(value: int | UnsetType) -> int | None:
    return None if value is UNSET else value


def _tag(word: str | UnsetType) -> Tag | None:
    return None if isinstance(word, UnsetType) else parsed(word)


def _notes(lines: Any) -> str:
    return "\n".join(f"[{line}]" for line in lines)


def _option(name: str, value: object) -> str:
    return f"{name}={value}"
