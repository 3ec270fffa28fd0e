"""The parts put together: store, engine, supervisor and server over one state directory."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import secrets
import signal
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from heaptui.cli.groups import first_error
from heaptui.cli.starting import serve_argv
from heaptui.config import Config
from heaptui.errors import Refused, Unreachable
from heaptui.paths import StateDir

LINGER_S = 2.0
"""A supervisor that ends when idle stays this long: the next command may be on its way."""

_START_WITHIN_S = 20.0


class AlreadyServed(Refused):
    """Another supervisor holds this state directory."""


async def serve(
    state: StateDir,
    config: Config,
    config_path: Path | None,
    *,
    embedded: bool,
    until_idle: bool,
    stop: asyncio.Event,
    ready: Callable[[], None],
    policy: str | None = None,
) -> int:
    """Supervises until `stop` is set, a client asks it to leave, or, with `until_idle`, nothing is
    left to watch and nobody is connected. What runs then goes on under the warden; returns how
    many tasks are yet to be seen through. `config_path`: where `config` was read, if it was named;
    whoever follows this supervisor reads the same. `policy`: the operator's choice for this state
    directory, which outranks the configuration until another is made.

    Raises:
        AlreadyServed: another supervisor is at work here.
        HeaptuiError: the store or the warden cannot be opened.
    """
    from heaptui.engine.local import LocalEngine
    from heaptui.runtime.presets import directory
    from heaptui.scraping import on_loopback
    from heaptui.server import Server, take_lock
    from heaptui.store.store import Store
    from heaptui.supervisor.loop import POLICY, Supervisor

    lock = take_lock(state)
    if lock is None:
        raise AlreadyServed(
            f"Another heaptui supervises {state.root} already.",
            "`heaptui` attaches to it; `heaptui doctor` says which process it is.",
        )
    try:
        async with contextlib.AsyncExitStack() as stack:
            supervisor_id = secrets.token_hex(4)
            store = await Store.open(state.database, supervisor_id)
            stack.push_async_callback(store.close)
            if policy is not None:
                await store.set_meta(POLICY, policy)
            engine = LocalEngine(state, supervisor_id, serve_argv(state, config_path))
            await engine.open()
            stack.push_async_callback(engine.close)
            supervisor = Supervisor(
                state=state,
                store=store,
                engine=engine,
                config=config,
                supervisor_id=supervisor_id,
                own_presets=directory(config_path),
            )
            await supervisor.recover()
            server = Server(supervisor, embedded=embedded)
            await stack.enter_async_context(server.serving())
            if (port := config.metrics.port) is not None:
                told = partial(_note, state) if embedded else _say
                await stack.enter_async_context(on_loopback(port, server.metrics, told))
            work = asyncio.create_task(supervisor.run(), name="supervisor")
            ends = [
                work,
                asyncio.create_task(stop.wait()),
                asyncio.create_task(server.leave.wait()),
            ]
            if until_idle:
                ends.append(asyncio.create_task(_idle(supervisor.idle, server.quiet)))
            ready()
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            for end in ends:
                end.cancel()
            outcome = (await asyncio.gather(work, return_exceptions=True))[0]
            if isinstance(outcome, BaseException) and not isinstance(
                outcome, asyncio.CancelledError
            ):
                raise first_error(outcome) or outcome
            supervisor.roll_up_now()
            await supervisor.ledger.commit()
            return supervisor.ledger.unended
    finally:
        os.close(lock)


async def _idle(nothing_left: asyncio.Event, nobody_there: asyncio.Event) -> None:
    while True:
        await nobody_there.wait()
        await nothing_left.wait()
        await asyncio.sleep(LINGER_S)
        if nobody_there.is_set() and nothing_left.is_set():
            return


async def serve_in_foreground(
    state: StateDir,
    config: Config,
    config_path: Path | None,
    *,
    until_idle: bool,
    policy: str | None = None,
) -> None:
    """`heaptui serve`: ends in order on SIGTERM, SIGINT and SIGHUP. With `until_idle` a place that
    is taken is no error: what was wanted is being done.

    Raises:
        HeaptuiError: as `serve`.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    started = time.monotonic()

    def ready() -> None:
        gc.freeze()
        took = time.monotonic() - started
        _say(f"heaptui supervises {state.root} as pid {os.getpid()}, ready in {took * 1000:.0f} ms")

    try:
        left = await serve(
            state,
            config,
            config_path,
            embedded=False,
            until_idle=until_idle,
            stop=stop,
            ready=ready,
            policy=policy,
        )
    except AlreadyServed:
        if until_idle:
            return
        raise
    if left and not until_idle:
        tasks = "1 task is" if left == 1 else f"{left} tasks are"
        _say(f"heaptui leaves; {tasks} seen through in the background")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _note(state: StateDir, text: str) -> None:
    """Into the log: the terminal is the screen's. A disk that is full costs the note alone."""
    with contextlib.suppress(OSError), state.supervisor_log.open("a", encoding="utf-8") as log:
        print(text, file=log)


class Embedded:
    """The supervisor on a thread of the app's process, with an event loop of its own: a stalled
    terminal cannot hold it up."""

    def __init__(
        self, state: StateDir, config: Config, config_path: Path | None, policy: str | None = None
    ) -> None:
        self._state = state
        self._policy = policy
        self._config = config
        self._config_path = config_path
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)
        self.error: BaseException | None = None

    def start(self) -> None:
        # two busy threads share one GIL: a short turn keeps dispatch quick while the app paints
        sys.setswitchinterval(0.0005)
        self._thread.start()

    def wait_ready(self, timeout_s: float = _START_WITHIN_S) -> bool:
        """True when it serves; False when another one does.

        Raises:
            HeaptuiError: why it could not start.
        """
        if not self._ready.wait(timeout_s):
            raise Unreachable(
                f"The supervisor did not begin within {timeout_s:g} s.",
                "`heaptui doctor` looks at what it needs.",
            )
        if isinstance(self.error, AlreadyServed):
            return False
        if self.error is not None:
            raise self.error
        return True

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001 (kept, and raised where it can be shown)
            self.error = error
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        await serve(
            self._state,
            self._config,
            self._config_path,
            embedded=True,
            until_idle=False,
            stop=self._stop,
            ready=self._ready.set,
            policy=self._policy,
        )

    def stop(self) -> None:
        """Leaves in order; live work goes on under the warden."""
        loop, stop = self._loop, self._stop
        if loop is not None and stop is not None and self._thread.is_alive():
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(stop.set)
        self._thread.join(_START_WITHIN_S)
