"""`heaptui tool`: the file tools for a shell, and for agents that only have one.

stdout is what was found, stderr says where to go on.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from heaptui.cli.answers import one_place, put, put_json, tell
from heaptui.cli.context import Context
from heaptui.cli.options import as_json
from heaptui.cli.workspaces import asked, read_only_option, root_option
from heaptui.errors import Refused, Unreadable, UsageError

if TYPE_CHECKING:
    from heaptui.tools.answers import Tag, Written

_Command = Callable[..., None]

TAIL_LINES = 100
WRITE_BYTES = 64 << 20
"""Of what is written or looked for at once; all of it is held."""
_STDIN = Path("-")
expect_option = click.option(
    "--expect", metavar="TAG", help="Only if the file is still the one with this tag."
)


@click.group()
def tool() -> None:
    """Read, search and change files in bounded memory.

    Paths are those of the workspace (--root), which nothing leads out of: relative to it, or
    absolute and inside it. Every answer is bounded and says on stderr how to go on.
    """


def _common(command: _Command) -> _Command:
    """The options of each of them."""
    for option in (click.pass_obj, as_json, read_only_option, root_option):
        command = option(command)
    return command


@tool.command()
@click.argument("file")
@click.option("--offset", type=int, help="The first line; -100: the last hundred.")
@click.option("--limit", type=click.IntRange(1), help="How many lines. Default and most: 2000.")
@click.option("--tail", is_flag=True, help=f"The last --limit lines (default {TAIL_LINES}).")
@click.option("--byte", "start_byte", type=int, help="Begin there, not at a line.")
@click.option("--max-bytes", metavar="SIZE", help="Of text. Default 50 KB, most 4M.")
@click.option("--max-tokens", metavar="N", help="Of text, estimated. Default 12k.")
@click.option(
    "--number/--plain", default=None, help="With line numbers, or without. Default: on a terminal."
)
@_common
def read(
    context: Context,
    file: str,
    offset: int | None,
    limit: int | None,
    tail: bool,
    start_byte: int | None,
    max_bytes: str | None,
    max_tokens: str | None,
    number: bool | None,
    root: Path,
    read_only: bool,
    json_: bool,
) -> None:
    """Print lines of a file, or of an artifact by its id.

    Ends at 2,000 lines, 50 KB or 12k tokens, whichever comes first; lines are cut at 2,000
    characters. Piped, it is the text as it stands in the file; on a terminal it is made harmless.
    """
    from heaptui.tools import telling
    from heaptui.tools.answers import READ_BYTES, READ_TOKENS
    from heaptui.units import parse_size, parse_tokens

    if tail and (offset is not None or start_byte is not None):
        raise UsageError("--tail begins at the end.", "Leave out --offset and --byte.")
    if tail:
        limit = limit or TAIL_LINES
        offset = -limit
    size = READ_BYTES if max_bytes is None else parse_size(max_bytes, "--max-bytes")
    tokens = READ_TOKENS if max_tokens is None else parse_tokens(max_tokens, "--max-tokens")
    text = asked(
        context,
        root,
        read_only,
        lambda tools: tools.read(
            file,
            offset=offset,
            limit=limit,
            start_byte=start_byte,
            max_bytes=size,
            max_tokens=tokens,
        ),
    )
    if json_:
        put_json(text, text.tag)
        return
    numbers = sys.stdout.isatty() if number is None else number
    put(telling.numbered(text) if numbers else text.text)
    if text.text and not text.text.endswith("\n") and one_place():
        print(file=sys.stderr)
    tell(telling.of_read(text, _option))


@tool.command()
@click.argument("pattern")
@click.argument("path", default=".")
@click.option(
    "--mode",
    type=click.Choice(["content", "files", "count"]),
    default="content",
    show_default=True,
    help="Lines, names of files, or how many lines in each.",
)
@click.option("-i", "--ignore-case", is_flag=True, help="Large and small letters alike.")
@click.option("-F", "--fixed", is_flag=True, help="PATTERN is a text, not an expression.")
@click.option(
    "-C", "--context", "around", type=click.IntRange(0), default=0, help="Lines beside, to 50."
)
@click.option("-g", "--glob", "globs", multiple=True, help="Only such files; !GLOB: not those.")
@click.option("--offset", type=click.IntRange(0), default=0, help="Pass over so many lines.")
@_common
def grep(
    context: Context,
    pattern: str,
    path: str,
    mode: str,
    ignore_case: bool,
    fixed: bool,
    around: int,
    globs: tuple[str, ...],
    offset: int,
    root: Path,
    read_only: bool,
    json_: bool,
) -> None:
    """Search files for a regular expression (of ripgrep), below PATH or in it.

    Hidden files too, but not what .gitignore names. Ends at 250 lines or 40 KB. What begins with a
    dash goes behind two of them: heaptui tool grep -- -x
    """
    from heaptui.tools import telling

    found = asked(
        context,
        root,
        read_only,
        lambda tools: tools.grep(
            pattern,
            path,
            mode=mode,
            ignore_case=ignore_case,
            fixed=fixed,
            context=around,
            globs=globs,
            offset=offset,
        ),
    )
    if json_:
        put_json(found)
        return
    put("".join(f"{line}\n" for line in telling.found_lines(found)))
    tell(telling.of_grep(found, _option))


@tool.command("list")
@click.argument("directory", default=".")
@_common
def list_(context: Context, directory: str, root: Path, read_only: bool, json_: bool) -> None:
    """List a directory: the first 2,000 names, and how many there are."""
    from heaptui.tools import telling

    listed = asked(context, root, read_only, lambda tools: tools.list(directory))
    if json_:
        put_json(listed)
        return
    put("".join(f"{telling.entry_line(entry)}\n" for entry in listed.entries))
    tell(telling.of_list(listed, _option))


@tool.command()
@click.argument("file")
@expect_option
@click.option("--create-only", is_flag=True, help="Only if there is no such file yet.")
@click.option("--parents", is_flag=True, help="Make the directories that are missing.")
@_common
def write(
    context: Context,
    file: str,
    expect: str | None,
    create_only: bool,
    parents: bool,
    root: Path,
    read_only: bool,
    json_: bool,
) -> None:
    """Make or replace a file by what comes on stdin, all at once or not at all.

    Owner, mode and attributes of a file that is there are kept.
    """
    tag = _tag(expect)
    content = _from_stdin()
    if len(content) > WRITE_BYTES:
        raise Refused(
            f"More than {WRITE_BYTES >> 20} MiB came on stdin. Nothing was changed.",
            "Let the shell write large files: > FILE.",
        )
    written = asked(
        context,
        root,
        read_only,
        lambda tools: tools.write(
            file, content, expect=tag, create_only=create_only, parents=parents
        ),
    )
    _changed(written, json_)


@tool.command()
@click.argument("file")
@click.option("--old", help="What stands there now, exactly.")
@click.option(
    "--old-file", type=click.Path(path_type=Path), help="The same, from a file; -: stdin."
)
@click.option("--new", help="What is to stand there.")
@click.option(
    "--new-file", type=click.Path(path_type=Path), help="The same, from a file; -: stdin."
)
@click.option("--all", "everywhere", is_flag=True, help="Each place where it stands.")
@expect_option
@_common
def edit(
    context: Context,
    file: str,
    old: str | None,
    old_file: Path | None,
    new: str | None,
    new_file: Path | None,
    everywhere: bool,
    expect: str | None,
    root: Path,
    read_only: bool,
    json_: bool,
) -> None:
    """Replace one text in a file by another; it must stand there exactly once.

    Line ends, byte order mark, owner, mode and attributes are kept.
    """
    if old_file == new_file == _STDIN:
        raise UsageError(
            "Both texts cannot come from stdin.", "Give one of them as a file, or as an argument."
        )
    before, after = _text("--old", old, old_file), _text("--new", new, new_file)
    tag = _tag(expect)
    written = asked(
        context,
        root,
        read_only,
        lambda tools: tools.edit(file, before, after, everywhere=everywhere, expect=tag),
    )
    _changed(written, json_)


def _option(name: str, value: object) -> str:
    return f"--{name} {value}"


def _changed(written: Written, json_: bool) -> None:
    from heaptui.tools import telling

    if json_:
        put_json(written, written.tag)
    else:
        tell(telling.of_written(written))


def _from_stdin() -> bytes:
    """At most a byte more than WRITE_BYTES.

    Raises:
        Refused: it is closed.
    """
    if sys.stdin is None:
        raise Refused(
            "Standard input is closed: there is nothing to take the text from.",
            "Give it: some-program | heaptui tool write FILE",
        )
    if sys.stdin.isatty():
        print("What is typed here is taken; ctrl+d on an empty line ends it.", file=sys.stderr)
    return sys.stdin.buffer.read(WRITE_BYTES + 1)


def _tag(word: str | None) -> Tag | None:
    from heaptui.tools.workspace.tags import parsed

    return None if word is None else parsed(word)


def _text(option: str, given: str | None, file: Path | None) -> str:
    """
    Raises:
        UsageError: not given, or twice.
        Unreadable: the file is not there, too large, or no UTF-8.
    """
    if (given is None) == (file is None):
        raise UsageError(
            f"{option} or {option}-file is needed, and one of them alone.",
            f"{option} TEXT, or {option}-file FILE.",
        )
    if file is None:
        return given or ""
    try:
        if file == _STDIN:
            content = _from_stdin()
        else:
            with file.open("rb") as opened_file:
                content = opened_file.read(WRITE_BYTES + 1)
        text = content.decode()
    except OSError as error:
        why = error.strerror
    except UnicodeDecodeError as error:
        why = f"byte {error.start} is no UTF-8"
    else:
        if len(content) <= WRITE_BYTES:
            return text
        why = f"it has more than {WRITE_BYTES >> 20} MiB"
    raise Unreadable(
        f"{option}-file {file} cannot be read: {why}.", "Name a file with the text in UTF-8."
    )
