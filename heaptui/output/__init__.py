"""An attempt's output: kept bounded while it is written, read without loading it, made harmless
before it is shown."""

from heaptui.output.bounded import cut, give_back, given_back
from heaptui.output.following import Watch, follow
from heaptui.output.printable import printable
from heaptui.output.reading import Chunk, Hit, Tail, read_from, search, tail

__all__ = [
    "Chunk",
    "Hit",
    "Tail",
    "Watch",
    "cut",
    "follow",
    "give_back",
    "given_back",
    "printable",
    "read_from",
    "search",
    "tail",
]
