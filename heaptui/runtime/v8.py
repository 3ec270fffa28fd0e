"""V8's heap limit, and the flags that give exactly the limit that was asked for.

A V8 heap may hold its old generation and three semi-spaces of the young one::

    limit = max-old-space-size + 3 x max-semi-space-size

read off as `heap_size_limit` on Node 20.20 and 24.19 for every old generation from 16M to 4G. The
default semi-space differs between them (16M and 64M: the same old generation of 64M is a limit of
112M and of 256M), so both flags are always given together.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec import Struct

from heaptui.units import MIB

OUTSIDE_HEAP = 100 * MIB
"""What a Node process needs beside its heap: code, stacks, buffers, a preload. A heap limit that
leaves less under the cap is reached after the kernel's, and then no V8 error tells why."""

OLD, SEMI = "max-old-space-size", "max-semi-space-size"
FOR_SIZE = "optimize-for-size"
"""Sets the semi-space to SEMI_FOR_SIZE_MB, whatever else is said and wherever it is said: read off
on Node 18.20, 20.20, 22.23, 24.19 and 24.21."""

SEMI_FOR_SIZE_MB = 1

OTHER_LIMITS = ("max-heap-size", "max-old-space-size-percentage")
"""Flags that set the same limit in another way; where one is given nothing is added."""

_SEMI_FOR = ((64, 1), (384, 4), (1536, 16))
"""Semi-space for a limit below so many MiB. A small one costs CPU in more frequent scavenges, a
large one up to three times its size of memory; above the table it is 32."""

LEAST_LIMIT = 19 * MIB
"""16M of old generation and 3 x 1M: both measured Nodes start and run with it."""

_FLAG = re.compile(r"--([a-z][a-z_-]*)=(\d+)")
_WORD = re.compile(r'(?:[^\s"]|"(?:\\.|[^"\\])*")+')


class HeapFlags(Struct, frozen=True):
    """The two flags, in MiB as V8 takes them."""

    old_mb: int
    semi_mb: int

    @property
    def limit_bytes(self) -> int:
        return (self.old_mb + 3 * self.semi_mb) * MIB

    def with_semi(self, semi_mb: int) -> HeapFlags:
        """The same limit with another semi-space."""
        return HeapFlags(max(16, self.old_mb + 3 * (self.semi_mb - semi_mb)), semi_mb)


def flags_for(limit_bytes: int) -> HeapFlags:
    """The flags whose limit is `limit_bytes`, rounded down to 1 MiB; at least LEAST_LIMIT."""
    limit_mb = max(limit_bytes, LEAST_LIMIT) // MIB
    semi_mb = next((semi for below, semi in _SEMI_FOR if limit_mb < below), 32)
    return HeapFlags(limit_mb - 3 * semi_mb, semi_mb)


def flags_under(cap_bytes: int) -> HeapFlags:
    """The largest heap whose own error comes before the cap's kill: old = cap - 3 x semi -
    OUTSIDE_HEAP. Below a cap of 119M there is no such heap, and the least one is given."""
    return flags_for(cap_bytes - OUTSIDE_HEAP)


def named(words: Iterable[str]) -> dict[str, int]:
    """The heap flags among `words` by their names with dashes; of two the last counts, as in V8."""
    found: dict[str, int] = {}
    for word in words:
        match = _FLAG.fullmatch(word)
        name = match[1].replace("_", "-") if match else ""
        if match and name in (OLD, SEMI, *OTHER_LIMITS):
            found[name] = int(match[2])
    return found


def words_of(node_options: str) -> list[str]:
    """NODE_OPTIONS as Node splits it: at spaces, but not within double quotes."""
    return [word.replace('"', "") for word in _WORD.findall(node_options)]


def for_size(words: Iterable[str]) -> bool:
    """Whether V8 optimises for size under these flags; of two the last counts."""
    said = [flag_name(word) for word in words]
    return next((name == FOR_SIZE for name in reversed(said) if name.endswith(FOR_SIZE)), False)


def flag_name(flag: str) -> str:
    """As V8 knows it: `--optimize_for_size=true` is `optimize-for-size`."""
    return flag.lstrip("-").partition("=")[0].replace("_", "-")
