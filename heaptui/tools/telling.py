"""The answers as text: what was found, and, apart from it, where to go on.

The text is as it stands in the files: whoever shows it on a terminal makes it harmless first.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress

from heaptui.tools.answers import (
    ARTIFACT,
    Artifact,
    Entry,
    Found,
    Listed,
    Match,
    Stopped,
    Text,
    Written,
)
from heaptui.tools.workspace.tags import spelled

Option = Callable[[str, object], str]
"""How somebody writes an option with its value: `--offset 12`, or `offset=12`."""

_NAMED_MOST = 10
_WHY = {
    Stopped.LINES: "the limit of lines",
    Stopped.BYTES: "the limit of bytes",
    Stopped.TOKENS: "the limit of tokens",
    Stopped.TIME: "time ran out",
    Stopped.MEMORY: "the search needed too much memory",
    Stopped.CANCELLED: "nobody wanted more",
}


def one_line(path: str) -> str:
    """A name: quoted where it has a line end in it."""
    return repr(path) if "\n" in path or "\r" in path else path


def numbered(text: Text) -> str:
    """Its lines with their numbers before them, as `cat -n` writes them; as they are where their
    numbers are not known."""
    if not text.text or not text.first:
        return text.text
    # only \n ends a line: splitlines() would count more of them than there are
    lines = text.text.removesuffix("\n").split("\n")
    end = "\n" if text.text.endswith("\n") else ""
    return "\n".join(f"{at:6}\t{line}" for at, line in enumerate(lines, text.first)) + end


def of_read(text: Text, option: Option) -> Iterator[str]:
    """Which lines, why it ends, how to go on, what was odd, and the tag."""
    yield f"{_lines(text)} of {one_line(text.path)}{_on(text, option)}"
    if text.cut_lines:
        yield (
            f"cut, too long to be shown whole: {_numbers(text.cut_lines)}; for the rest read one "
            f"alone ({option('offset', text.cut_lines[0])} {option('limit', 1)}) and go on at the "
            "byte that it names"
        )
    if text.changed:
        yield "it changed while it was read: lines may be missing, or of two versions"
    if text.replaced:
        yield (
            f"{text.replaced:,} bytes are no {text.encoding} and shown as U+FFFD: "
            "do not write this text back"
        )
    if odd := _odd(text):
        yield odd
    yield f"tag {spelled(text.tag)}"


def _lines(text: Text) -> str:
    total = "" if text.lines_total is None else f" of {text.lines_total:,}"
    if not text.text:
        return f"no text{total and f' there, beyond the last of {text.lines_total:,} lines'}"
    if not text.first:
        return "text"
    if text.first == text.last:
        return f"line {text.first}{total}"
    return f"lines {text.first}-{text.last}{total}"


def _on(text: Text, option: Option) -> str:
    why = f", {_WHY[text.stopped]}" if text.stopped in _WHY else ""
    if text.next_line is None and text.next_byte is None:
        return why or (", to its end" if text.text else "")
    begun = bool(text.cut_lines) and text.last == text.cut_lines[-1]
    line = None if text.next_line is None else option("offset", text.next_line)
    byte = None if text.next_byte is None else option("byte", text.next_byte)
    if line and byte and begun:
        return f"{why}; go on with {line}, or with {byte} for the rest of line {text.last}"
    return f"{why}; go on with {line or byte}"


def _odd(text: Text) -> str:
    words = [
        "" if text.encoding == "utf-8" else text.encoding,
        "with a byte order mark" if text.bom else "",
        {"\r\n": "lines end in CRLF", "mixed": "some lines end in CRLF"}.get(text.ends, ""),
    ]
    return ", ".join(word for word in words if word)


def _numbers(lines: tuple[int, ...]) -> str:
    named = ", ".join(f"{line}" for line in lines[:_NAMED_MOST])
    more = len(lines) - _NAMED_MOST
    word = "line" if len(lines) == 1 else "lines"
    return f"{word} {named}" + (f" and {more:,} more" if more > 0 else "")


def found_lines(found: Found) -> Iterator[str]:
    """One for each match (`path:12:text`, `path-12-text` for a line beside one), file or count."""
    if found.mode == "content":
        yield from map(_match, found.matches)
    elif found.mode == "count":
        for path, count in zip(found.files, found.counts, strict=True):
            yield f"{one_line(path)}:{count}"
    else:
        yield from map(one_line, found.files)


def _match(match: Match) -> str:
    mark = "-" if match.context else ":"
    return f"{one_line(match.path)}{mark}{match.line}{mark}{match.text}{' …' if match.cut else ''}"


def of_grep(found: Found, option: Option) -> Iterator[str]:
    """How many, whether there are more and how to go on, and what could not be searched."""
    many = len(found.matches) or len(found.files)
    noun = "line" if found.mode == "content" else "file"
    said = f"{many:,} {noun}{'' if many == 1 else 's'}" if many else "nothing found"
    if found.offset and many:
        said += f", after the first {found.offset:,}"
    if found.stopped in _WHY:
        said += f", {_WHY[found.stopped]}"
    if found.next_offset is not None:
        said += f"; go on with {option('offset', found.next_offset)}, or search for less"
    yield said
    for path in found.skipped:
        yield f"not searched: {one_line(path)}"
    if found.artifact is not None:
        yield of_artifact(found.artifact, many, option)


def entry_line(entry: Entry) -> str:
    """Bytes, time and name; `name/` is a directory, `name -> target` a link, `name?` neither, and
    no file."""
    size = "-" if entry.bytes is None else f"{entry.bytes:,}"
    when = "-"
    if entry.mtime is not None:
        with suppress(OverflowError, OSError):  # a time that no calendar reaches
            when = time.strftime("%Y-%m-%d %H:%M", time.localtime(entry.mtime))
    mark = {"directory": "/", "other": "?", "link": f" -> {one_line(entry.target or '?')}"}
    return f"{size:>15}  {when:16}  {one_line(entry.name)}{mark.get(entry.kind, '')}"


def of_list(listed: Listed, option: Option) -> Iterator[str]:
    """How many there are of each kind, and whether all are shown."""
    least = "at least " if listed.more else ""
    yield (
        f"{one_line(listed.path)}: {least}{listed.files:,} files, {listed.directories:,} "
        f"directories, {listed.others:,} others"
    )
    if listed.stopped in _WHY:
        yield (
            f"the first {len(listed.entries):,} in order of name: {_WHY[listed.stopped]}; "
            "list a directory below it to see less at once"
        )
    if listed.artifact is not None:
        yield of_artifact(listed.artifact, len(listed.entries), option)


def of_written(written: Written) -> Iterator[str]:
    """What was done, where, and the new tag."""
    path = one_line(written.path)
    if written.replaced:
        places = "place" if written.replaced == 1 else "places"
        where = f", in {_numbers(written.lines)}" if written.lines else ""
        yield f"{path}: {written.replaced:,} {places} changed{where}; {written.bytes:,} bytes now"
    else:
        size = "1 byte" if written.bytes == 1 else f"{written.bytes:,} bytes"
        yield f"{path}: {'made' if written.created else 'written'}, {size}"
    if not written.verified:
        yield (
            "this system cannot exchange two files at once: what another program wrote there in "
            "the last moment may be gone"
        )
    if written.links:
        others = "another name" if written.links == 1 else f"{written.links:,} other names"
        yield f"hard links: {others} of it still with the old contents"
    yield f"tag {spelled(written.tag)}"


def of_artifact(artifact: Artifact, shown: int, option: Option) -> str:
    """Where more of it is, and from which line on."""
    what = f"{artifact.lines:,} of them, from the first one here on"
    what += ", cut," if artifact.cut else ","
    return (
        f"{what} are kept as {ARTIFACT}{artifact.id}, to be read (on with "
        f"{option('offset', shown + 1)}) or searched instead of this again"
    )


def artifact_id(path: str) -> str | None:
    """The id of the artifact that is named there; None where it is a file."""
    return path.removeprefix(ARTIFACT) if path.startswith(ARTIFACT) else None
