"""A Node process that was not started by heaptui: its inspector opened, used, and closed again."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from msgspec import Struct

from heaptui.errors import HeaptuiError, Refused
from heaptui.inspection import inspector, place, sockets
from heaptui.inspection.foreign import Foreign, again, inspect_port
from heaptui.inspection.inspector import Session
from heaptui.memory.identity import alive, send
from heaptui.model import Collection, Identity, ProcessHeap
from heaptui.output import printable
from heaptui.units import duration, short_size

_OPENS_WITHIN_S = 3.0
_CLOSES_WITHIN_S = 2.0
_SOON_S = 0.7
"""A program whose event loop turns has closed its inspector by then."""
_LOOK_EVERY_S = 0.02
_ASK_WITHIN_S = 5.0
_COLLECT_WITHIN_S = 60.0
_SNAPSHOT_WITHIN_S = 900.0

_VERSION_MAX = 40


class _Figures(Struct):
    """Bytes, but for the first two."""

    version: str
    ppid: int
    used: int
    committed: int
    limit: int
    external: int
    buffers: int
    rss: int
    young: int


class _Collected(Struct):
    before: _Figures
    after: _Figures
    pause: float
    flavour: str


class _Written(Struct):
    ms: float


_MODULE = (
    "const module_ = (name) => process.getBuiltinModule ? process.getBuiltinModule(name) "
    ": require(name);"
)
_CLOSE = f"(() => {{ {_MODULE} module_('inspector').close(); }})()"
_CLOSE_SOON = f"""(() => {{ {_MODULE} const inspector = module_('inspector');
  setTimeout(() => inspector.close(), 200).unref(); }})()"""
"""From the event loop, when the session that asked for it is gone: a close while a session lives,
or is just being let go, ended Node 20 by SIGSEGV (about one in five, in a program that is at work).
A program that never comes back to its loop is told to close at once, which interrupts it; that did
no harm there."""

_FIGURES = """
const figures = () => {
  const v8 = module_('v8');
  const all = v8.getHeapStatistics();
  const usage = process.memoryUsage();
  const spaces = v8.getHeapSpaceStatistics();
  const young = spaces.filter((one) => one.space_name.startsWith('new_'))
    .reduce((sum, one) => sum + one.space_used_size, 0);
  return {
    version: process.version, ppid: process.ppid, used: all.used_heap_size,
    committed: all.total_heap_size, limit: all.heap_size_limit, external: all.external_memory,
    buffers: usage.arrayBuffers, rss: usage.rss, young,
  };
};"""

_HEAP = f"(() => {{ {_MODULE} {_FIGURES} return JSON.stringify(figures()); }})()"

_COLLECT = f"""(() => {{ {_MODULE} {_FIGURES}
  const before = figures();
  module_('v8').setFlagsFromString('--expose-gc');
  const gc = module_('vm').runInNewContext('gc');
  const began = performance.now();
  const major = Number(process.versions.node.split('.')[0]);
  let flavour;
  if (major >= 22) {{ gc({{ type: 'major', flavor: 'last-resort' }}); flavour = 'last resort'; }}
  else {{ gc(); gc(); gc(); flavour = 'three full collections'; }}
  const pause = performance.now() - began;
  return JSON.stringify({{ before, after: figures(), pause, flavour }});
}})()"""

_SNAPSHOT = """(() => {{ {module}
  const began = performance.now();
  module_('v8').writeHeapSnapshot({path});
  return JSON.stringify({{ ms: performance.now() - began }});
}})()"""


@asynccontextmanager
async def attached(foreign: Foreign) -> AsyncIterator[Session]:
    """A session with the process that was looked at, whose inspector is opened for it if need be,
    and closed again if we opened it.

    Raises:
        Refused: it has gone, is another one by now, or must not be touched; with the reason.
        HeaptuiError: it does not close what was opened.
    """
    now = await asyncio.to_thread(again, foreign)
    way = now.way("heap")
    if way.why is not None:
        raise Refused(f"Process {foreign.pid} is left alone: {way.why}.")
    identity = now.identity
    port, opened = await _port(identity)
    try:
        async with inspector.connected(port) as session:
            try:
                yield session
            finally:
                if opened:
                    # its answer would come over the connection that it closes
                    with suppress(ConnectionError):
                        await session.send(_CLOSE_SOON)
    except ConnectionError as error:
        raise Refused(f"Process {foreign.pid} ended meanwhile, or closed its inspector.") from error
    except asyncio.CancelledError:
        if opened:
            await asyncio.shield(_shut(identity, port))
        raise
    except HeaptuiError as error:
        if opened and not await _shut(identity, port):
            raise _left_open(identity, port, error.what) from error
        raise
    if opened and not await _shut(identity, port):
        raise _left_open(identity, port)


async def heap(session: Session, foreign: Foreign) -> ProcessHeap:
    """Its heap's figures now."""
    told = await session.evaluate(_HEAP, _Figures, _ASK_WITHIN_S)
    return ProcessHeap(
        pid=foreign.pid,
        ppid=told.ppid,
        runtime="node",
        version=printable(told.version[:_VERSION_MAX]),
        at=time.time(),
        title=foreign.command,
        used_bytes=told.used,
        committed_bytes=told.committed,
        limit_bytes=told.limit,
        external_bytes=told.external,
        array_buffers_bytes=told.buffers,
        new_bytes=told.young,
        old_bytes=told.used - told.young,
        rss_bytes=told.rss,
        can=("gc", "snapshot"),
    )


async def collect(session: Session, foreign: Foreign) -> Collection:
    """A full collection, by the flavour that gives memory back on its version."""
    began = time.monotonic()
    told = await session.evaluate(_COLLECT, _Collected, _COLLECT_WITHIN_S)
    before, after = told.before, told.after
    text = (
        f"{foreign.pid}: heap {short_size(before.used)} → {short_size(after.used)}, memory "
        f"{short_size(before.rss)} → {short_size(after.rss)}, {told.pause:.0f} ms"
    )
    if before.used - after.used < before.used // 50:
        text += "; next to nothing came back: the data is live, a snapshot tells what holds it"
    return Collection(
        task_id="",
        attempt=0,
        pid=foreign.pid,
        runtime="node",
        text=text,
        flavour=printable(told.flavour[:_VERSION_MAX]),
        took_s=time.monotonic() - began,
        pause_s=told.pause / 1000,
        heap_before=before.used,
        heap_after=after.used,
        rss_before=before.rss,
        rss_after=after.rss,
    )


async def snapshot(session: Session, foreign: Foreign, path: Path) -> float:
    """Has it write a heap snapshot to `path`, whole or not at all, 0600; the seconds it took.

    Raises:
        Refused: it could not write there, or something stands there.
    """
    part = await asyncio.to_thread(place.reserve, foreign, path)
    expression = _SNAPSHOT.format(module=_MODULE, path=json.dumps(str(part)))
    try:
        told = await session.evaluate(expression, _Written, _SNAPSHOT_WITHIN_S)
        await asyncio.to_thread(place.keep, part, path)
    finally:
        part.unlink(missing_ok=True)
    return told.ms / 1000


async def _port(identity: Identity) -> tuple[int, bool]:
    """Where its inspector listens, and whether we opened it.

    Raises:
        Refused: it did not open.
    """
    pid = identity.pid
    try:
        before = await asyncio.to_thread(sockets.listening, pid)
        port = await asyncio.to_thread(inspect_port, pid)
    except OSError as error:
        raise _not_seen(identity, error) from error
    if port in before:
        return port, False
    if not send(identity, signal.SIGUSR1):
        raise Refused(f"Process {pid} has ended, or may not be signalled.")
    opening = asyncio.create_task(_opens(identity, before), name=f"inspector of {pid}")
    try:
        return await asyncio.shield(opening), True
    except asyncio.CancelledError:
        # the signal cannot be taken back: what it opens is closed again
        with suppress(HeaptuiError):
            port = await opening
            await _close(port, _CLOSE_SOON)
            await _shut(identity, port)
        raise


async def _opens(identity: Identity, before: set[int]) -> int:
    """The port on which its inspector has begun to listen, which it did not `before`.

    Raises:
        Refused: there is none in time.
    """
    deadline = time.monotonic() + _OPENS_WITHIN_S
    try:
        while time.monotonic() < deadline:
            for fresh in await asyncio.to_thread(sockets.listening, identity.pid) - before:
                if await asyncio.to_thread(inspector.version_at, fresh) is not None:
                    return fresh
            await asyncio.sleep(_LOOK_EVERY_S)
    except OSError as error:
        raise _not_seen(identity, error) from error
    raise Refused(
        f"Process {identity.pid} did not open its inspector within {duration(_OPENS_WITHIN_S)}: "
        "it has a SIGUSR1 handler of its own, which ran instead; or it is in a native call.",
        "When that call returns its inspector opens, and stays open on this machine: look again "
        "with `heaptui inspect`.",
    )


async def _shut(identity: Identity, port: int) -> bool:
    """Whether its inspector is closed, or it ended: from its loop, else in the midst of it."""
    if await _closes(identity, port, _SOON_S):
        return True
    await _close(port, _CLOSE)
    return await _closes(identity, port, _CLOSES_WITHIN_S)


async def _close(port: int, how: str) -> None:
    """Tells it to close its inspector, where it still listens."""
    with suppress(HeaptuiError, ConnectionError):
        async with inspector.connected(port) as session:
            await session.send(how)


async def _closes(identity: Identity, port: int, within_s: float) -> bool:
    """Whether it no longer listens, or ended; waits for that."""
    deadline = time.monotonic() + within_s
    while alive(identity):
        try:
            if port not in await asyncio.to_thread(sockets.listening, identity.pid):
                return True
        except OSError:
            return True  # it ended
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(_LOOK_EVERY_S)
    return True


def _left_open(identity: Identity, port: int, what: str = "") -> HeaptuiError:
    return HeaptuiError(
        f"{what} Process {identity.pid} keeps its inspector open on port {port} of this machine "
        "until it obeys and closes it: at the end of a native call.".lstrip(),
        "Whoever may connect to it controls the process: end it when that matters here.",
    )


def _not_seen(identity: Identity, error: OSError) -> Refused:
    return Refused(f"Process {identity.pid} ended meanwhile, or cannot be looked at: {error}.")
