# ruff: noqa: B905, F821, SIM105
# mypy: ignore-errors
"""Walks all objects of this process; runs in a child that is nothing but this.

The format is described in heaptui/heap/PYTHON_FORMAT.md. No code of the program's runs here: sizes
and attributes are taken by the interpreter's own functions, past what a class may have overridden.
What is not known to the garbage collector (strings, numbers, tuples of such) is found through what
refers to it. The child's memory grows by what it touches: reference counts lie in the objects.
"""

import _tracemalloc
import gc
import sys
import time
from itertools import filterfalse
from struct import Struct

kinds = part("kinds")
CELL, CODE, FRAME, FUNCTION, MODULE, SUSPENDED, LEAVES, SPECIAL = map(
    kinds.get, ("CELL", "CODE", "FRAME", "FUNCTION", "MODULE", "SUSPENDED", "LEAVES", "SPECIAL")
)
names_of, own_names, qualname = map(kinds.get, ("names_of", "own_names", "qualname"))

FULL = (1 << 64) - 1
PREVIEW = 200
PREVIEW_LATER = 40
PREVIEWS_MOST = 48 << 20  # characters of previews after which they are short
NUMBERS_MOST = 200_000
WORD_EVERY_S = 0.2
AT_ONCE = 2000
ROWS_HELD = 40_000
LINES_MOST = 500

ROOT, MODULES, THREADS, SYNTHETIC = 1, 2, 3, 16
PLAIN, ITEMS, MAPPING, NAMED = range(4)
INTERNAL, PROPERTY, VARIABLE = (kind << 29 for kind in range(3))


def variables(frame):
    """Code, line, and variables by name or the dict that has them."""
    names = frame.f_locals
    return frame.f_code, frame.f_lineno or 0, names if type(names) is dict else dict(names)


class Dump:
    """`sections` is written; `tell` gets the share of the work that is done."""

    def __init__(self, sections, node, tell):
        self.sections = sections
        self.pack = node.pack
        self.rows = sections.rows
        self.text = sections.text
        self.name = sections.name
        self.tell = tell
        self.kinds = kinds["Kinds"](sections)
        self.by_type = self.kinds.by_type
        self.previews = 0
        self.numbers = 0
        self.seen = set()
        self.pending = []
        self.told_at = 0.0

    def preview(self, one, kind):
        if kind is str:
            text = str.__getitem__(one, slice(self.preview_most()))
            self.previews += len(text)
            return self.text(text) if text else 0
        if kind is bytes or kind is bytearray:
            text = kind.__getitem__(one, slice(self.preview_most())).decode("latin-1")
            self.previews += len(text)
            return self.text(text) if text else 0
        if kind is int:
            bits = int.bit_length(one)
            self.numbers += 1
            if self.numbers > NUMBERS_MOST:
                return 0
            return self.text(int.__repr__(one) if bits < 256 else f"{bits} bits")
        if kind is float:
            self.numbers += 1
            return self.text(float.__repr__(one)) if self.numbers <= NUMBERS_MOST else 0
        return 0

    def preview_most(self):
        return PREVIEW if self.previews < PREVIEWS_MOST else PREVIEW_LATER

    # --- objects ----------------------------------------------------------------------------------
    def everything(self, frames):
        traces = _tracemalloc._get_traces() if _tracemalloc.is_tracing() else []
        _tracemalloc.stop()
        self.allocations(traces)
        del traces
        objects = gc.get_objects()
        self.hidden = {id(objects), id(self.__dict__), id(self), id(self.seen), id(self.pending)}
        self.roots(frames)
        total = len(objects)
        for begin in range(0, total, AT_ONCE):
            for one in objects[begin : begin + AT_ONCE]:
                if id(one) not in self.hidden:
                    self.object(one)
            self.leaves()
            self.say(begin / total)
            self.sections.flush()

    def say(self, share):
        now = time.monotonic()
        if now - self.told_at > WORD_EVERY_S:
            self.told_at = now
            self.tell(share)

    def leaves(self):
        """What is unknown to the collector; only what was referred to is found."""
        pending, rows, pack, size = self.pending, self.rows, self.pack, sys.getsizeof
        while pending:
            one = pending.pop()
            of = type(one)
            if of is str:
                text = one[:PREVIEW] if self.previews < PREVIEWS_MOST else one[:PREVIEW_LATER]
                self.previews += len(text)
                same, number = hash(one) & FULL, self.kinds.known(str)[0]
                text = self.text(text)
            elif (of is int or of is float) and self.numbers > NUMBERS_MOST:
                same, number, text = 0, self.kinds.known(of)[0], 0
            else:
                self.object(one)
                continue
            rows.append(pack(id(one), size(one), same, number, 0, text, PLAIN, 0))
            if len(rows) > ROWS_HELD:
                self.sections.flush()

    def object(self, one):
        of = type(one)
        number, nature, size, members, own_dict = self.by_type.get(id(of)) or self.kinds.kind(of)
        if nature is of and nature in LEAVES:
            same = hash(one) & FULL if of is str or of is bytes else 0
            self.rows.append(
                self.pack(id(one), size(one), same, number, 0, self.preview(one, nature), PLAIN, 0)
            )
            return
        refs = gc.get_referents(one)
        own, text, layout, count = size(one), 0, PLAIN, 0
        if nature is list or nature is tuple:
            refs.reverse()
            layout, count = ITEMS, min(len(refs), nature.__len__(one))
        elif nature is dict:
            layout, count, refs = self.mapping(one, of, refs)
        elif nature is set or nature is frozenset:
            layout, count = ITEMS, min(len(refs), nature.__len__(one))
        elif nature is CODE:
            refs, text = self.code(one)
            layout = NAMED
        elif members or own_dict is not None or nature in SPECIAL or nature in LEAVES:
            labels = {}
            for name, get in members:
                try:
                    labels[id(get(one))] = name | PROPERTY
                except AttributeError:
                    pass
            if own_dict is not None:
                own += self.attributes(one, own_dict, refs, labels)
            if nature in LEAVES:
                text = self.preview(one, nature)
            elif nature in SPECIAL:
                text = self.special(one, nature, refs, labels)
            labels.setdefault(id(of), self.name("__class__") | INTERNAL)
            self.sections.labels.extend([labels.get(id(ref), 0) for ref in refs])
            layout = NAMED
        self.rows.append(self.pack(id(one), own, 0, number, len(refs), text, layout, count))
        self.refer(refs)

    def refer(self, refs):
        self.sections.to.extend(map(id, refs))
        seen, pending = self.seen, self.pending
        for ref in filterfalse(gc.is_tracked, refs):
            ident = id(ref)
            if ident not in seen:
                seen.add(ident)
                pending.append(ref)

    def mapping(self, one, of, refs):
        """Keys, their values in the same order, then whatever else it refers to."""
        keys, values = list(dict.keys(one)), list(dict.values(one))
        rest = []
        if of is not dict:
            known = set(map(id, keys))
            known.update(map(id, values))
            rest = [ref for ref in refs if id(ref) not in known]
        return MAPPING, len(keys), keys + values + rest

    def attributes(self, one, own_dict, refs, labels):
        """Names the references that are attributes. A dict that is made by looking at it belongs
        to its object: its bytes are returned."""
        try:
            names = own_dict(one)
        except AttributeError:
            return 0
        if type(names) is not dict:
            return 0
        for ref in refs:
            if ref is names:
                labels[id(names)] = self.name("__dict__") | INTERNAL
                return 0
        for name, found in names.items():
            labels[id(found)] = self.name(name) | PROPERTY
        return sys.getsizeof(names)

    def special(self, one, nature, refs, labels):
        """Names what only this kind of object has; a text that tells it from others."""
        if nature is FUNCTION:
            code = one.__code__
            labels[id(code)] = self.name("__code__") | INTERNAL
            cells = one.__closure__
            if cells:
                for name, cell in zip(code.co_freevars, cells):
                    labels[id(cell)] = self.name(name) | VARIABLE
                    refs.append(cell)
            return self.place(code, one.__qualname__, code.co_firstlineno)
        if nature is CELL:
            for ref in refs:
                labels[id(ref)] = self.name("cell_contents") | INTERNAL
            return 0
        if nature is MODULE:
            names = MODULE.__dict__["__dict__"].__get__(one)
            labels[id(names)] = self.name("__dict__") | INTERNAL
            return self.name(names.get("__name__")) if type(names) is dict else 0
        if nature is type:
            for name, found in names_of(one).items():
                if type(name) is str:
                    labels[id(found)] = self.name(name) | PROPERTY
            for inner in gc.get_referents(own_names(one)):
                labels[id(inner)] = self.name("__dict__") | INTERNAL
            return self.name(qualname(one))
        frame = one if nature is FRAME else getattr(one, SUSPENDED[nature])
        if frame is None or not frame.f_code.co_flags & 1:
            return 0
        for name, found in frame.f_locals.items():
            labels[id(found)] = self.name(name) | VARIABLE
        code = frame.f_code
        name = code.co_name if nature is FRAME else one.__qualname__
        return self.place(code, name, frame.f_lineno or code.co_firstlineno)

    def code(self, one):
        """A code object is no container to the collector."""
        names = ("co_consts", "co_names", "co_filename", "co_name", "co_qualname")
        found = [(name, getattr(one, name)) for name in names if hasattr(one, name)]
        self.sections.labels.extend([self.name(name) | INTERNAL for name, _ in found])
        name = getattr(one, "co_qualname", one.co_name)
        return [ref for _, ref in found], self.place(one, name, one.co_firstlineno)

    def place(self, code, name, line):
        """Says where in the source it is; the number of its name."""
        node = self.sections.nodes + len(self.rows)
        self.sections.places.extend((node, self.name(code.co_filename), line))
        return self.name(name)

    # --- roots ------------------------------------------------------------------------------------
    def synthetic(self, ident, name, edges, text=0):
        """One that is not an object: `edges` are of label and target."""
        self.sections.labels.extend([label for label, _ in edges])
        number = self.kinds.synthetic(name)
        self.rows.append(self.pack(ident, 0, 0, number, len(edges), text, NAMED, 0))

    def roots(self, frames):
        modules = sys.modules
        named = [
            (self.name(name) | PROPERTY, module)
            for name, module in dict.items(modules)
            if type(name) is str
        ]
        named.append((self.name("sys.modules") | INTERNAL, modules))
        self.synthetic(ROOT, "(root)", [
            (self.name(name) | INTERNAL, 0) for name in ("modules", "threads")
        ])  # fmt: skip
        self.sections.to.extend((MODULES, THREADS))
        self.synthetic(MODULES, "(modules)", named)
        self.refer([module for _, module in named])
        threads = range(SYNTHETIC, SYNTHETIC + len(frames))
        self.synthetic(THREADS, "(threads)", [
            (self.name(f"thread {ident}") | INTERNAL, 0) for ident, _ in frames
        ])  # fmt: skip
        self.sections.to.extend(threads)
        following = SYNTHETIC + len(frames)
        for ident, (_, stack) in zip(threads, frames):
            numbers = range(following, following + len(stack))
            self.synthetic(ident, "(thread)", [
                (self.name(f"frame {depth}") | INTERNAL, 0) for depth in range(len(stack))
            ])  # fmt: skip
            self.sections.to.extend(numbers)
            for number, frame in zip(numbers, stack):
                self.frame(number, frame)
            following += len(stack)

    def frame(self, number, frame):
        code, line, names = frame if type(frame) is tuple else variables(frame)
        if code.co_flags & 1:
            held = [(self.name(name) | VARIABLE, one) for name, one in names.items()]
        else:
            held = [(self.name("names") | INTERNAL, names)]
        text = self.place(code, getattr(code, "co_qualname", code.co_name), line)
        self.synthetic(number, "(frame)", held, text)
        self.refer([one for _, one in held])

    # --- tracemalloc ------------------------------------------------------------------------------
    def allocations(self, traces):
        """What tracemalloc knows, by line: bytes, blocks, file, line; largest first."""
        by_line = {}
        for trace in traces:
            at = trace[2][0] if trace[2] else ("", 0)
            found = by_line.get(at)
            if found is None:
                by_line[at] = [trace[1], 1]
            else:
                found[0] += trace[1]
                found[1] += 1
        top = sorted(by_line.items(), key=lambda one: -one[1][0])[:LINES_MOST]
        row = Struct("<QQII")
        self.sections.chunk(b"TRAC", b"".join(
            row.pack(size, blocks, self.name(file), line)
            for (file, line), (size, blocks) in top
        ))  # fmt: skip
