"""Which strings of a file hold a text: by their bytes, without decoding all of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heaptui.heap.analysis.compiled import compiled
from heaptui.heap.analysis.graph import Strings
from heaptui.heap.analysis.strings_table import FileStrings

_NOT, _HOLDS, _DECODE = 0, 1, 2


def holding(strings: Strings, candidates: NDArray[np.uint32], match: str) -> NDArray[np.uint32]:
    """Those of the candidates (indices) whose text holds `match`, upper and lower case alike."""
    wanted = match.casefold()
    plain = wanted.isascii() and wanted.isprintable() and not {'"', "\\"} & set(wanted)
    if not isinstance(strings, FileStrings) or not plain:
        return np.array(
            [one for one in candidates.tolist() if wanted in strings[one].casefold()], np.uint32
        )
    in_file = candidates[candidates < len(strings.starts)]
    found = np.empty(len(in_file), np.uint8)
    _search(
        strings.bytes,
        strings.starts[in_file],
        strings.lengths[in_file],
        np.frombuffer(wanted.encode(), np.uint8),
        found,
    )
    # an escape (a line's end, a letter that is not ASCII) is not what it looks like
    for index in np.flatnonzero(found == _DECODE).tolist():
        found[index] = _HOLDS if wanted in strings[int(in_file[index])].casefold() else _NOT
    added = [
        one
        for one in candidates[candidates >= len(strings.starts)].tolist()
        if wanted in strings[one].casefold()
    ]
    return np.append(in_file[found == _HOLDS], np.array(added, np.uint32)).astype(np.uint32)


@compiled
def _search(
    text: NDArray[np.uint8],
    starts: NDArray[np.int64],
    lengths: NDArray[np.int64],
    wanted: NDArray[np.uint8],
    found: NDArray[np.uint8],
) -> None:
    """`found` gets for each string whether it holds the wanted bytes (lower case), or has an
    escape and has to be decoded."""
    for index in range(starts.size):
        begin = starts[index]
        end = begin + lengths[index]
        answer = 0
        for at in range(begin, end):
            if text[at] == 92 or text[at] >= 128:
                answer = 2
                break
        if answer == 0:
            for at in range(begin, end - wanted.size + 1):
                same = True
                for place in range(wanted.size):
                    byte = text[at + place]
                    if 65 <= byte <= 90:
                        byte += 32
                    if byte != wanted[place]:
                        same = False
                        break
                if same:
                    answer = 1
                    break
        found[index] = answer
