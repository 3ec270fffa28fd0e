"""What an agent prints, made harmless: it is shown, and never reaches a terminal as a command.

Escape sequences are removed whole (a colour's `[31m` would be noise), by the forms of ECMA-48
(section 5.4, control sequences; 5.6, control strings) and ECMA-35 (13.2, escape sequences). A
control string that nobody ends is removed to the end of its line.
"""

from __future__ import annotations

import re

_SEQUENCES = re.compile(
    r"""
      (?:\x1b\[|\x9b) [0-?]* [ -/]* [@-~]?                  # CSI
    | (?:\x1b[\]PX^_]|[\x90\x98\x9d\x9e\x9f])               # OSC, DCS, SOS, PM, APC ...
      [^\x07\x18\x1a\x1b\x9c\n]* (?:\x07|\x1b\\|\x9c)?      # ... to their end
    | \x1b [ -/]* [0-~]?                                    # any other, and ESC alone
    """,
    re.VERBOSE,
)

_INVISIBLE = re.compile(
    "["
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 but tab and newline, DEL, C1
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # bidirectional marks, overrides, isolates
    "\u00ad\u200b\u2060-\u2065\u206a-\u206f\ufeff"  # of no width, or of one that terminals dispute
    "\ufff9-\ufffb\U000e0000-\U000e0fff"  # annotations and tags
    "]"
)
_SEPARATORS = re.compile("[\u2028\u2029]")
_SURROGATES = re.compile("[\ud800-\udfff]")
TAB = 8


def printable(text: str) -> str:
    """`text` without anything that a terminal would obey; newlines stay, tabs become spaces.

    Within a line a carriage return starts it anew, as progress bars do: the last rewrite that is
    not empty is kept. Lone surrogates become U+FFFD.
    """
    if text.isascii() and text.isprintable():
        return text
    if "\x1b" in text or not text.isascii():
        text = _SEQUENCES.sub("", text)
    if "\r" in text:
        text = "\n".join(_last_rewrite(line) for line in text.split("\n"))
    text = _SEPARATORS.sub(" ", _INVISIBLE.sub("", text))
    return _SURROGATES.sub("\ufffd", text).expandtabs(TAB)


def _last_rewrite(line: str) -> str:
    return next((part for part in reversed(line.split("\r")) if part), "")
