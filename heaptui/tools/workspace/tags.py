"""A file's tag as one word that can be copied from an answer into the next call.

Device, inode, size and both times in hexadecimal, and the SHA-256 where it is known, with points
between them: `fd01.2a4f.1b8.18aa2c….18aa2c….9f86d081…`.
"""

from __future__ import annotations

import re

from heaptui.errors import UsageError
from heaptui.tools.answers import Tag

_LETTERS_MOST = 24
"""Of nanoseconds: a file can have a time that takes 64 bits in seconds."""
_NUMBER = f"-?[0-9a-f]{{1,{_LETTERS_MOST}}}"
_FORM = re.compile(
    rf"({_NUMBER})\.({_NUMBER})\.({_NUMBER})\.({_NUMBER})\.({_NUMBER})(?:\.([0-9a-f]{{64}}))?"
)


def spelled(tag: Tag) -> str:
    """One word; `parsed` makes the tag of it again."""
    numbers = (tag.dev, tag.ino, tag.size, tag.mtime_ns, tag.ctime_ns)
    words = [f"{number:x}" for number in numbers]
    return ".".join([*words, tag.sha256] if tag.sha256 else words)


def parsed(word: str) -> Tag:
    """
    Raises:
        UsageError: it is no tag.
    """
    found = _FORM.fullmatch(word.strip())
    if found is None:
        raise UsageError(
            f"{word.strip()[:60]!r} is no tag of a file.",
            "Copy it whole from the answer of the call that read or wrote the file.",
        )
    dev, ino, size, mtime_ns, ctime_ns = (int(number, 16) for number in found.groups()[:5])
    return Tag(dev, ino, size, mtime_ns, ctime_ns, found[6] or "")
