# ruff: noqa: PLC3002
# mypy: ignore-errors
"""What a snapshot must know of a type, told by the interpreter alone.

Types are asked past their metaclasses, and are looked up by their address: a metaclass may have a
hash, an equality and attributes of its own.
"""

import sys

SYNTHETIC_KIND = 1

own_names = type.__dict__["__dict__"].__get__
own_line = type.__dict__["__mro__"].__get__
qualname = type.__dict__["__qualname__"].__get__
FUNCTION = type(lambda: None)
CODE = type((lambda: None).__code__)
CELL = type((lambda x: lambda: x)(0).__closure__[0])
MODULE = type(sys)
FRAME = type(sys._getframe())
MEMBER = type(FUNCTION.__dict__["__globals__"])
GETSET = type(FUNCTION.__dict__["__code__"])
METHOD = type(str.__sizeof__)


def line_of(of):
    return own_line(of) or (of,)  # none: a type of a library in C that was never made ready


def names_of(of):
    return own_names(of) or {}


def _waiting_kinds():
    """Type of what waits in the middle of a function: the attribute that has its frame."""

    async def coroutine():
        pass

    async def asynchronous():
        yield

    one = coroutine()
    one.close()
    return {
        type(_ for _ in ()): "gi_frame", type(one): "cr_frame", type(asynchronous()): "ag_frame",
    }  # fmt: skip


SUSPENDED = _waiting_kinds()

LEAVES = frozenset((str, bytes, bytearray, int, float, complex, type(None), bool))
SPECIAL = frozenset((FUNCTION, CELL, MODULE, FRAME, type, *SUSPENDED))
NATURES = {
    str: 2, bytes: 3, bytearray: 3, int: 4, float: 4, bool: 4, complex: 4, type(None): 0,
    list: 0, tuple: 0, dict: 0, set: 0, frozenset: 0,
    FUNCTION: 5, CODE: 6, CELL: 0, MODULE: 0, FRAME: 0, type: 0, **dict.fromkeys(SUSPENDED, 7),
}  # fmt: skip
NATURAL = frozenset(map(id, NATURES))  # a metaclass may have a hash of its own


class Kinds:
    """Numbers types as they come, and writes them down."""

    def __init__(self, sections):
        self.sections = sections
        self.by_type = {}
        self.by_name = {}
        self.count = 0

    def add(self, name, nature):
        self.sections.types.extend((self.sections.name(name), nature))
        self.count += 1
        return self.count - 1

    def synthetic(self, name):
        """The number of a kind of nodes that are no objects."""
        if name not in self.by_name:
            self.by_name[name] = self.add(name, SYNTHETIC_KIND)
        return self.by_name[name]

    def kind(self, of):
        """What is to be known of a type: its number, its nature, how it is measured, the functions
        that get its instances' members, the one that gets their dict."""
        line = line_of(of)
        nature = next((one for one in line if id(one) in NATURAL), None)
        members, own_dict, sizer = [], None, sys.getsizeof
        for one in line:
            for name, found in names_of(one).items():
                if type(found) is MEMBER:
                    members.append((self.sections.name(name), found.__get__))
                elif name == "__dict__" and own_dict is None and type(found) is GETSET:
                    own_dict = found.__get__
        for one in line:
            found = names_of(one).get("__sizeof__")
            if type(found) is METHOD:
                break
            if found is not None:
                sizer = None
        if sizer is None:
            sizer = past(found)
        module = names_of(of).get("__module__")
        name = qualname(of)
        if type(module) is str and module != "builtins":
            name = f"{module}.{name}"
        number = self.add(name, NATURES.get(nature, 0))
        if nature in (FUNCTION, MODULE, type):
            own_dict = None  # an empty one would be made by looking
        known = (number, nature, sizer, tuple(members), own_dict)
        self.by_type[id(of)] = known
        return known

    def known(self, of):
        return self.by_type.get(id(of)) or self.kind(of)


def past(measure):
    """sys.getsizeof() past a class that measures itself in Python: the object and the collector's
    two words before it."""
    return lambda one: measure(one) + 16
