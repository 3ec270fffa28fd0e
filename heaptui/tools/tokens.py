"""How many tokens a text will cost, without any model's tokenizer.

The larger of a quarter of its bytes and the length of what zlib makes of it at its fastest level:
the first is what prose and code cost, the second follows text that does not repeat (base64, hashes,
minified JSON), of which a token holds far fewer bytes. Against true counts of source code, logs,
JSON and base64 it stays between 0.64 and 1.9 times.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

BYTES_PER_TOKEN = 4
_BLOCK = 1 << 20
_FASTEST = 1


def estimate(text: str | bytes) -> int:
    """Tokens of `text`; 0 only for nothing. Takes about 10 ms a megabyte, and a few of memory."""
    if not text:
        return 0
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    return max(-(-len(data) // BYTES_PER_TOKEN), _compressed(data))


def _compressed(data: bytes) -> int:
    """Bytes of `data` as one zlib stream, of which no more than a block is held."""
    if len(data) <= _BLOCK:
        return len(zlib.compress(data, _FASTEST))
    press = zlib.compressobj(_FASTEST)
    return sum(len(press.compress(block)) for block in _blocks(data)) + len(press.flush())


def _blocks(data: bytes) -> Iterator[memoryview]:
    whole = memoryview(data)
    for at in range(0, len(whole), _BLOCK):
        yield whole[at : at + _BLOCK]
