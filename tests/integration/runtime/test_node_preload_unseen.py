"""A program must not notice the preload: the same exit code, output and traceback with and without
it, and nothing that keeps it alive."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from heaptui.runtime.node import facts
from heaptui.runtime.preload.place import environment, placed
from tests.integration.runtime.preload_server import Engine, engine, nodes

OBSERVED = """
console.log(
  Object.keys(globalThis).join(), process.argv.length, process.execArgv.join(),
  process._getActiveHandles().length, process._getActiveRequests().length,
  process.getActiveResourcesInfo().join(), process.listenerCount('exit'),
  process.eventNames().map(String).join(), module.children.length, require.main === module,
  Object.keys(require.cache).filter((name) => !name.endsWith('node.cjs')).length,
  typeof gc, process.title, process.exitCode, process.debugPort, process.getMaxListeners());
"""
PROGRAMS = {
    "natural end": "console.log(1)",
    "exit code": "process.exitCode = 7",
    "exit in the first tick": "process.exit(5)",
    "exit handlers": (
        "process.on('beforeExit', (c) => console.log('before', c));"
        "process.on('exit', (c) => { console.log('exit', c); process.exitCode = 9; });"
    ),
    "beforeExit that works on": (
        "let n = 0; process.on('beforeExit', () => { let a = []; for (let i = 0; i < 1e6; i++)"
        " a.push({}); console.log(n); if (n++ < 2) setTimeout(() => {}, 5); })"
    ),
    "throw": "function f() { throw new Error('the end') }\nf();",
    "throw a string": "throw 'the end'",
    "throw in a timer": "setTimeout(() => { throw new TypeError('late') }, 5)",
    "caught by a handler": "process.on('uncaughtException', (e) => console.log(e.message)); x()",
    "rejection": "Promise.reject(new Error('no'))",
    "rejection heard": "process.on('unhandledRejection', (e) => console.log(e)); Promise.reject(1)",
    "order of callbacks": (
        "setImmediate(() => console.log('immediate')); Promise.resolve().then(() =>"
        " console.log('micro')); process.nextTick(() => console.log('tick')); console.log('sync')"
    ),
    "what it can see": OBSERVED,
    "environment": (
        "for (const [k, v] of Object.entries(process.env)) if (k[0] !== '_' && !/^(HEAPTUI_|"
        "NODE_OPTIONS|PYTHONPATH)/.test(k)) console.log(k, v)"
    ),
    "worker threads": (
        "const { Worker } = require('worker_threads'); process.on('worker', () => console.log(1));"
        "const w = new Worker(\"require('worker_threads').parentPort.postMessage(process.argv"
        '.length)", { eval: true });'
        "w.on('message', (m) => console.log(m)); w.on('exit', (c) => console.log('left', c))"
    ),
    "fork": (
        "if (process.argv[2]) { process.on('message', (m) => { process.send(m + 1);"
        " process.disconnect(); }) } else { const c = require('child_process').fork(__filename,"
        " ['child']); c.send(1); c.on('message', (m) => console.log(m));"
        " c.on('exit', (...x) => console.log(x)) }"
    ),
    "cluster": (
        "const cluster = require('cluster'); if (cluster.isPrimary) { cluster.fork();"
        " cluster.on('exit', (w, c) => console.log('left', c)) } else {"
        " console.log(process.execArgv.length); process.exit(4) }"
    ),
    "own title": "process.title = 'mine'; console.log(process.title)",
    "stdin": (
        "process.stdin.on('data', (d) => console.log(String(d))).on('end', () => console.log(0))"
    ),
    "stdin closed by itself": "process.stdin.destroy(); setTimeout(() => console.log(1), 10)",
    "stdout closed by itself": "require('fs').closeSync(1); process.exitCode = 2",
    "killed by itself": "process.kill(process.pid, 'SIGTERM'); setInterval(() => {}, 1e6)",
    "abort": "process.abort()",
    "fake clocks": (
        "Date.now = () => 0; performance.now = () => 0; process.hrtime = () => [0, 0];"
        " globalThis.setTimeout = () => { throw 1 }; process.memoryUsage = () => { throw 2 };"
        " JSON.stringify = () => { throw 3 }; setImmediate(() => console.log('fine'))"
    ),
    "broken builtins": (
        "Array.prototype[Symbol.iterator] = () => { throw 1 }; Object.prototype.then = 1;"
        " String.prototype.startsWith = () => { throw 4 };"
        " process.nextTick(() => process.stdout.write('fine'))"
    ),
    "frozen": "Object.freeze(globalThis); Object.freeze(process); console.log('fine')",
    "diagnostics": (
        "const dc = require('diagnostics_channel'); const http = require('http');"
        " const s = http.createServer((q, r) => r.end('ok')).listen(0, () => http.get({ port:"
        " s.address().port, agent: false }, (r) => { r.resume(); r.on('end', () => { s.close();"
        " console.log(r.statusCode) }) }))"
    ),
    "out of memory": "const a = []; for (;;) a.push(new Array(1000).fill('x' + a.length))",
}
MODULES = {
    "esm": "import fs from 'node:fs'; console.log(import.meta.url.length, typeof require); await 0;"
    " throw new Error('in a module')",
    "esm exit": "await new Promise((f) => setTimeout(f, 5)); process.exit(6)",
    "esm stuck": "await new Promise(() => {})",
}
COMMANDS: dict[str, tuple[str, ...]] = {
    "eval": ("-e", "console.log(process.argv.length); throw new Error('e')"),
    "print": ("-p", "[typeof require, typeof module, process.argv0]"),
    "eval of a module": ("--input-type=module", "-e", "console.log(import.meta.url); nope()"),
    "check": ("--check", "broken.js"),
    "no such script": ("absent.js",),
    "bad option": ("--no-such-option",),
    "version": ("--version",),
    "test": ("--test", "--test-reporter=tap", "some.test.js"),
    "repl": ("-i",),
    "esm with a loader": ("--import", "data:text/javascript,console.log('first')", "plain.js"),
}
VARYING = re.compile(
    rb"0x[0-9a-f]+|\(node:\d+\)|\[\d+:|\d+ ms|duration_ms [\d.]+|# duration\S* [\d.]+|\d+\.\d+|"
    rb"#\d+ \[|/tmp/[^\s:'\"]*/"
)


@pytest.fixture(params=nodes(), ids=str)
def node(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[Engine]:
    async with engine(placed(tmp_path / "state")) as made:
        yield made


async def _seen(
    house: Engine, node: Path, words: tuple[str, ...], cwd: Path, *, with_it: bool
) -> tuple[int | None, bytes, bytes]:
    """Exit code and both outputs, without what differs from run to run."""
    env = house.env()
    if not with_it:
        for name in ("NODE_OPTIONS", "PYTHONPATH", "HEAPTUI_SOCKET"):
            env.pop(name, None)
    program = await asyncio.create_subprocess_exec(
        node,
        *words,
        env=env,
        cwd=cwd,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, err = await asyncio.wait_for(program.communicate(b"1 + 1\n"), 60)
    finally:
        if program.returncode is None:
            program.kill()
            await program.wait()
    return program.returncode, VARYING.sub(b"*", out), VARYING.sub(b"*", err)


async def _same(house: Engine, node: Path, words: tuple[str, ...], cwd: Path) -> None:
    bare = await _seen(house, node, words, cwd, with_it=False)
    loaded = await _seen(house, node, words, cwd, with_it=True)
    assert loaded == bare


@pytest.mark.parametrize("what", PROGRAMS)
async def test_a_script_runs_the_same(node: Path, house: Engine, tmp_path: Path, what: str) -> None:
    (tmp_path / "program.js").write_text(PROGRAMS[what])
    limit = ("--max-old-space-size=40",) if what == "out of memory" else ()
    if not limit and what != "abort":
        await _same(house, node, ("program.js",), tmp_path)
        return
    # V8's last words hold figures of that very run
    bare = await _seen(house, node, (*limit, "program.js"), tmp_path, with_it=False)
    loaded = await _seen(house, node, (*limit, "program.js"), tmp_path, with_it=True)
    assert loaded[:2] == bare[:2] and loaded[0] == -6
    assert (b"heap out of memory" in loaded[2]) == (b"heap out of memory" in bare[2]) == bool(limit)


@pytest.mark.parametrize("what", MODULES)
async def test_a_module_runs_the_same(node: Path, house: Engine, tmp_path: Path, what: str) -> None:
    (tmp_path / "program.mjs").write_text(MODULES[what])
    await _same(house, node, ("program.mjs",), tmp_path)


@pytest.mark.parametrize("what", COMMANDS)
async def test_a_command_runs_the_same(
    node: Path, house: Engine, tmp_path: Path, what: str
) -> None:
    (tmp_path / "broken.js").write_text("let let = (")
    (tmp_path / "plain.js").write_text("console.log('plain')")
    (tmp_path / "some.test.js").write_text(
        "const test = require('node:test'); test('good', () => {});"
        "test('bad', () => { throw new Error('bad') });"
    )
    await _same(house, node, COMMANDS[what], tmp_path)


async def test_nothing_keeps_a_connected_program_alive(node: Path, house: Engine) -> None:
    code = "process.stdin.once('data', () => process.stdin.destroy())"
    program = await asyncio.create_subprocess_exec(
        node,
        "-e",
        code,
        env=house.env(),
        stdin=asyncio.subprocess.PIPE,
    )
    worker = await house.connected()
    assert (await worker.heap()).main == "idle"
    assert isinstance((await worker.collect()).id, int)
    await asyncio.wait_for(program.communicate(b"end"), 30)
    assert program.returncode == 0
    await worker.gone()


async def test_it_fits_under_the_least_data_limit_of_a_small_cap(
    node: Path, house: Engine, tmp_path: Path
) -> None:
    told = await facts(
        node, env=house.env(), cwd=tmp_path, cache=tmp_path / "runtimes.json", ask_data=True
    )
    assert told.data_need_bytes is not None
    limit = (told.data_need_bytes >> 10) + (32 << 10)
    code = "setInterval(() => {}, 1e6)"
    limited = f'ulimit -d {limit}; exec "$@"'
    await house.start(Path("/bin/sh"), "-c", limited, "sh", str(node), "-e", code)
    worker = await house.connected()
    assert (await worker.collect()).id


async def test_outside_a_task_it_does_nothing(node: Path, house: Engine) -> None:
    env = {key: value for key, value in house.env().items() if key != "HEAPTUI_TASK"}
    code = "console.log(Object.getOwnPropertySymbols(globalThis).map(String).join())"
    out = subprocess.check_output([node, "-e", code], env=env, timeout=30)
    assert b"heaptui" not in out
    assert house.waiting == 0


async def test_loaded_twice_it_works_once(node: Path, house: Engine, tmp_path: Path) -> None:
    # a task within a task, each with the preload of its own heaptui
    other = tmp_path / "node.cjs"
    for file in house.preload.node.parent.glob("*.cjs"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    env = house.env(NODE_OPTIONS=f"--require={other}")
    program = await asyncio.create_subprocess_exec(node, "-e", "setTimeout(() => {}, 500)", env=env)
    await house.connected()
    assert await program.wait() == 0
    assert house.waiting == 0


async def test_a_socket_nobody_may_have_is_no_trouble(node: Path, house: Engine) -> None:
    for socket in ("/proc/nowhere/heap.sock", "/", "x" * 300, str(house.directory)):
        env = environment(
            {"PATH": os.environ["PATH"], "HEAPTUI_TASK": "k7.1"},
            house.preload,
            socket,
            node_version=None,
        )
        done = subprocess.run(
            [node, "-e", "setTimeout(() => console.log(1), 200)"],
            env=env,
            capture_output=True,
            timeout=30,
            check=False,
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, b"1\n", b"")
