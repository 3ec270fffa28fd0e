"""What each tool takes, and what an agent is told of it: the schemas are made of these."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from heaptui.tools.answers import (
    GREP_BYTES,
    GREP_COLUMNS,
    GREP_LINES,
    LINE_CHARACTERS,
    LIST_ENTRIES,
    READ_BYTES,
    READ_BYTES_MOST,
    READ_LINES,
    READ_LINES_MOST,
    READ_TOKENS,
    WITHIN_S,
)

PATH = "Relative to the workspace, or absolute and inside it."
_File = Annotated[str, Meta(description=f"The file. {PATH}")]
_Expect = Annotated[
    str,
    Meta(description="The tag that read, write or edit told of it: refused if it changed since."),
]


class Read(Struct, forbid_unknown_fields=True):
    path: Annotated[str, Meta(description=f"The file, or artifact:ID. {PATH}")]
    offset: (
        Annotated[int, Meta(description="The first line, from 1; -100 is the last hundred lines.")]
        | UnsetType
    ) = UNSET
    limit: (
        Annotated[
            int,
            Meta(description=f"How many lines. Default and most: {READ_LINES_MOST}.", ge=1),
        ]
        | UnsetType
    ) = UNSET
    byte: (
        Annotated[
            int,
            Meta(description="Begin at this byte instead of a line; -4096 is the last 4 KiB."),
        ]
        | UnsetType
    ) = UNSET
    max_bytes: Annotated[int, Meta(description=f"Of text, at most {READ_BYTES_MOST}.", ge=1)] = (
        READ_BYTES
    )
    max_tokens: Annotated[int, Meta(description="Of text, estimated.", ge=1)] = READ_TOKENS


class Grep(Struct, forbid_unknown_fields=True):
    pattern: Annotated[
        str,
        Meta(description="A regular expression as ripgrep's: no look-around, no backreferences."),
    ]
    path: Annotated[str, Meta(description=f"A directory, a file, or artifact:ID. {PATH}")] = "."
    mode: Annotated[
        Literal["content", "files", "count"],
        Meta(description="The lines, only the names of files, or how many lines in each."),
    ] = "content"
    globs: Annotated[
        list[str],
        Meta(description="Only files that fit one of these (*.py); !GLOB leaves files out."),
    ] = msgspec.field(default_factory=list)
    ignore_case: Annotated[bool, Meta(description="Large and small letters alike.")] = False
    fixed: Annotated[bool, Meta(description="The pattern is a text, not an expression.")] = False
    context: Annotated[
        int, Meta(description="Lines shown before and after each match.", ge=0, le=50)
    ] = 0
    offset: Annotated[int, Meta(description="Pass over so many lines of the answer.", ge=0)] = 0


class List(Struct, forbid_unknown_fields=True):
    path: Annotated[str, Meta(description=f"The directory. {PATH}")] = "."


class Write(Struct, forbid_unknown_fields=True):
    path: _File
    content: Annotated[str, Meta(description="All of its contents.")]
    expect: _Expect | UnsetType = UNSET
    create_only: Annotated[bool, Meta(description="Refuse if the file is there.")] = False
    parents: Annotated[bool, Meta(description="Make the directories that are missing.")] = False


class Edit(Struct, forbid_unknown_fields=True):
    path: _File
    old: Annotated[
        str,
        Meta(
            description="What stands there now, exactly, without line numbers; it must stand there "
            "once, unless all is true."
        ),
    ]
    new: Annotated[str, Meta(description="What is to stand there.")]
    all: Annotated[bool, Meta(description="Each place where it stands.")] = False
    expect: _Expect | UnsetType = UNSET


Arguments = Read | Grep | List | Write | Edit


class Definition(Struct, frozen=True, kw_only=True):
    """A tool as it is offered. `takes` are its arguments; `writes`: it changes files."""

    name: str
    title: str
    takes: type[Arguments]
    description: str
    writes: bool = False

    def schema(self) -> dict[str, Any]:
        """A JSON Schema of the arguments, without references: not every client follows them."""
        _, definitions = msgspec.json.schema_components([self.takes])
        found: dict[str, Any] = definitions[self.takes.__name__]
        # not every client takes an empty list
        return {key: value for key, value in found.items() if value != [] and key != "title"}


_BOUND = f"Searching stops after {WITHIN_S:.0f} s."
DEFINITIONS = (
    Definition(
        name="read",
        title="Read a file",
        takes=Read,
        description=(
            f"Reads lines of a text file of any size, numbered: up to {READ_LINES} lines, "
            f"{READ_BYTES // 1000} KB or {READ_TOKENS // 1000}k tokens of it, whichever comes "
            f"first; lines are cut at {LINE_CHARACTERS} characters. The note behind the text says "
            "which lines they are, why they end, with which offset or byte to go on, and the "
            "file's tag. Search a large file with grep before reading it."
        ),
    ),
    Definition(
        name="grep",
        title="Search in files",
        takes=Grep,
        description=(
            f"Searches a directory or a file for a pattern. Up to {GREP_LINES} lines of "
            f"{GREP_COLUMNS} characters or {GREP_BYTES // 1000} KB, in order of names, as "
            "path:line:text; the note says with which offset to go on, or which artifact:ID holds "
            "more of the same answer, to be read or searched. Hidden files too, but not what "
            f".gitignore names. {_BOUND}"
        ),
    ),
    Definition(
        name="list",
        title="List a directory",
        takes=List,
        description=(
            f"Lists a directory in order of name, up to {LIST_ENTRIES} entries: bytes, time, name "
            "(name/ is a directory, name -> target a link). The note says how many there are."
        ),
    ),
    Definition(
        name="write",
        title="Write a file",
        takes=Write,
        writes=True,
        description=(
            "Makes a file, or replaces one as a whole, all at once or not at all; owner, mode, "
            "encoding and line ends of one that is there are kept. Give expect, so that nobody's "
            "change since you read it is lost. For a small change use edit."
        ),
    ),
    Definition(
        name="edit",
        title="Edit a file",
        takes=Edit,
        writes=True,
        description=(
            "Replaces a text in a file of any size by another, all at once or not at all; the text "
            "must stand there exactly once, or all be true. Everything else is kept as it is, line "
            "ends too. A text that is not there is answered with the nearest lines."
        ),
    ),
)
