# mypy: ignore-errors
"""The file of a snapshot: arrays that grow, written in chunks (heaptui/heap/PYTHON_FORMAT.md)."""

import os
import sys
import time
from array import array
from struct import Struct

MAGIC = b"HEAPTUI PYTHON HEAP 1\n"
CHUNK = 1 << 20
CHUNK_MOST = 16 << 20
CHUNK_HEAD = Struct("<4sIII")
NODE = Struct("<QQQIIIII")
NAME_MOST = 1000


class Sections:
    """`rows` are packed NODE; `to` is of ids, `labels` of names, `places` and `types` of rows."""

    def __init__(self, file):
        self.file = file
        self.size = 0
        self.written = {}
        self.nodes = 0
        self.rows = []
        self.to = array("Q")
        self.labels = array("I")
        self.places = array("I")
        self.types = array("I")
        self.text_lengths = array("I")
        self.text_bytes = []
        self.text_size = 0
        self.texts = 0
        self.interned = {}
        try:
            import zlib

            self.pack = lambda data: zlib.compress(data, 1)
        except ImportError:
            self.pack = None
        self.put(MAGIC + self.header())
        self.text("")

    def header(self):
        version = ".".join(map(str, sys.version_info[:3]))
        who = f'"python":"{version}","pid":{os.getppid()}'
        return f'{{{who},"at":{time.time():.3f},"order":"{sys.byteorder}"}}\n'.encode()

    def put(self, data):
        view = memoryview(data)
        while view:
            done = os.write(self.file, view)
            self.size += done
            view = view[done:]

    def chunk(self, tag, data):
        """`data`, in pieces that a reader can hold."""
        view = memoryview(data)
        for begin in range(0, len(view), CHUNK_MOST):
            piece = view[begin : begin + CHUNK_MOST]
            packed = self.pack(piece) if self.pack else piece
            self.put(CHUNK_HEAD.pack(tag, packed is not piece, len(piece), len(packed)))
            self.put(packed)

    def flush(self, least=CHUNK):
        if len(self.rows) * NODE.size >= least:
            self.chunk(b"NODE", b"".join(self.rows))
            self.nodes += len(self.rows)
            self.rows.clear()
        for tag in ("to", "labels", "text_lengths", "places", "types"):
            held = getattr(self, tag)
            if len(held) * held.itemsize >= least:
                if sys.byteorder == "big":
                    held.byteswap()
                self.chunk(_TAGS[tag], held.tobytes())
                self.written[tag] = self.written.get(tag, 0) + len(held)
                setattr(self, tag, array(held.typecode))
        if self.text_size >= least:
            self.chunk(b"TEXT", b"".join(self.text_bytes))
            self.text_bytes, self.text_size = [], 0

    def finish(self):
        self.flush(1)
        count = self.written.get
        tail = Struct("<QQQQQQ").pack(
            self.nodes, count("to", 0), count("labels", 0), self.texts,
            count("places", 0) // 3, count("types", 0) // 2,
        )  # fmt: skip
        self.put(CHUNK_HEAD.pack(b"DONE", 0, len(tail), len(tail)) + tail)
        return self.size

    # --- texts ------------------------------------------------------------------------------------
    def text(self, text):
        """The number of a text that is written once more."""
        data = text.encode("utf-8", "backslashreplace")
        self.text_lengths.append(len(data))
        self.text_bytes.append(data)
        self.text_size += len(data)
        self.texts += 1
        return self.texts - 1

    def name(self, name):
        """The number of a text that is kept: names of attributes, types, files."""
        if type(name) is not str:
            return 0
        number = self.interned.get(name)
        if number is None:
            number = self.interned[name] = self.text(name[:NAME_MOST])
        return number


_TAGS = {
    "to": b"EDGE", "labels": b"NAME", "text_lengths": b"TLEN", "places": b"PLAC", "types": b"TYPE",
}  # fmt: skip
