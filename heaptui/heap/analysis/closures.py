"""Where code stands: functions by name, file and line, and the function whose variables a context
holds.

By V8's own edges: a closure's `shared` is what all closures of one function have in common; it
knows the `script`, whose name is the file, and the `scope info`, which it shares with every context
that one of its calls has made. Lines are the snapshot's `locations`: of functions where they begin,
of suspended generators and async functions where they wait, of other objects their constructor.
"""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import unquote

import numpy as np

from heaptui.heap.analysis import python_names
from heaptui.heap.analysis.indexed import Indexed
from heaptui.heap.analysis.place import NAME_MOST, NOWHERE, Place

_UNNAMED = frozenset({"", "(shared function info)"})


class Places:
    """What the snapshot says about places in the source."""

    def __init__(self, snapshot: Indexed) -> None:
        self._snapshot = snapshot
        self._files: dict[int, str | None] | None = None
        self.of = lru_cache(maxsize=4096)(self._of)
        self.of_context = lru_cache(maxsize=4096)(self._of_context)

    def _of(self, node: int) -> Place:
        """Of a closure the function; of a context the function whose variables it holds; of a
        suspended function where it waits; of an object its constructor."""
        snapshot = self._snapshot
        if python_names.is_python(snapshot):
            return python_names.place_of(snapshot, node)
        if snapshot.kind(node) == "closure":
            return self._of_closure(node)
        if snapshot.name(node) == "system / Context":
            return self.of_context(node)
        at = self._snapshot.location(node)
        if at is None:
            return NOWHERE
        script, line = at
        function = None
        if (made_by := snapshot.step(node, "function")) is not None:
            function = self._function_name(made_by)
        return Place(function, self._file_of(script), line)

    def _of_closure(self, node: int) -> Place:
        shared = self._snapshot.step(node, "shared")
        at = self._snapshot.location(node)
        file = self._file_of_shared(shared) if shared is not None else None
        if file is None and at is not None:
            file = self._file_of(at[0])
        return Place(self._function_name(node), file, at[1] if at and file else None)

    def _function_name(self, closure: int) -> str | None:
        snapshot = self._snapshot
        name = snapshot.name(closure)
        if name == "native_bind" and (bound := snapshot.step(closure, "bound_function")):
            return f"bound {self._function_name(bound) or '(anonymous)'}"
        if name in _UNNAMED and (shared := snapshot.step(closure, "shared")) is not None:
            name = snapshot.name(shared)
        return None if name in _UNNAMED else name[:NAME_MOST]

    def _of_context(self, context: int) -> Place:
        snapshot = self._snapshot
        previous = snapshot.step(context, "previous", most=100_000)
        extension = snapshot.step(context, "extension", most=100_000)
        of_module = extension is not None and "Module" in snapshot.name(extension)
        if extension is not None and snapshot.step(extension, "function") is not None:
            # what a suspended function resumes with has the function itself for its extension
            return self._of(extension)
        scope = snapshot.step(context, "scope_info", most=100_000)
        shared = None if scope is None else self._source_of(scope, "name_or_scope_info")
        outermost = previous is not None and "NativeContext" in snapshot.name(previous)
        inner = self._source_of(context, "context")
        if shared is None:
            # a block's own context, or the function is gone: what was made there still knows where
            near = NOWHERE if inner is None else self._of(inner)
            module = of_module or outermost
            named = None if module else self._scope_name(context, scope)
            return Place(named, near.file, None if module else near.line, module)
        function = snapshot.name(shared)
        closure = self._source_of(shared, "shared", kind="closure")
        at = self._snapshot.location(closure) if closure is not None else None
        named = None if function in _UNNAMED else function[:NAME_MOST]
        file = self._file_of_shared(shared)
        if file is None and inner is not None:
            file = self._of(inner).file
        module = of_module or (outermost and named is None)
        return Place(named, file, at[1] if at and not module else None, module)

    def _scope_name(self, context: int, scope: int | None) -> str | None:
        """The function's name by its scope info alone, which has it behind the names of the
        variables: told only where each variable is seen, for a small number leaves no trace."""
        snapshot = self._snapshot
        if scope is None:
            return None
        held = {name for way, name, _ in snapshot.named_edges(context, 1000) if way == "context"}
        texts = [
            snapshot.name(target)
            for way, _, target in snapshot.named_edges(scope, 1000)
            if way == "hidden" and snapshot.kind(target) == "string"
        ]
        if len(texts) != len(held) + 1 or not held.issuperset(texts[:-1]):
            return None
        return texts[-1][:NAME_MOST] or None

    def _source_of(self, node: int, name: str, kind: str | None = None) -> int | None:
        snapshot = self._snapshot
        for edge in snapshot.incoming(node)[:1000]:
            if snapshot.edge_name(int(edge)) == name:
                source = snapshot.source(int(edge))
                if kind is None or snapshot.kind(source) == kind:
                    return source
        return None

    def _file_of_shared(self, shared: int) -> str | None:
        script = self._snapshot.step(shared, "script", "script_or_debug_info")
        if script is None:
            return None
        if self._snapshot.name(script) == "system / DebugInfo":
            script = self._snapshot.step(script, "script")
        return None if script is None else file_name(self._snapshot.name(script))

    def _file_of(self, script: int) -> str | None:
        """By a script's number, which only locations use: a closure that stands there knows."""
        if self._files is None:
            self._files = self._known_files()
        return self._files.get(script)

    def _known_files(self) -> dict[int, str | None]:
        locations, graph = self._snapshot.graph.locations, self._snapshot.graph
        if locations is None or "closure" not in self._snapshot.kinds:
            return {}
        closures = graph.node_type[locations.node] == self._snapshot.kinds["closure"]
        scripts, first = np.unique(locations.script[closures], return_index=True)
        nodes = locations.node[closures][first]
        found: dict[int, str | None] = {}
        for script, node in zip(scripts, nodes, strict=True):
            shared = self._snapshot.step(int(node), "shared")
            found[int(script)] = None if shared is None else self._file_of_shared(shared)
        return found


def file_name(script: str) -> str | None:
    """A script's name as a file's: without `file://`, None for what has none (`eval`)."""
    if script.startswith("file://"):
        return unquote(script.removeprefix("file://"))
    if not script or script.startswith(("system /", "(")):
        return None
    return script
