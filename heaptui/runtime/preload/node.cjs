'use strict';
// heaptui in a Node.js process: what its heap holds, collected or written to a file on request.
//
// NODE_OPTIONS loads this file into every Node process of a task before the program. It starts one
// worker thread (node_socket.cjs), which owns the control socket and asks the main thread for
// figures by message. The answers are kept there, so that they can be served with their age while
// main runs the program and hears nothing.
//
// A command goes to main by message too. If main does not take it up at once, the worker evaluates
// the same call through a short-lived inspector session, which V8 runs between two statements of a
// busy loop. Whichever comes first serves the command and the other finds it served: both run on
// the main thread, so this needs no lock. The inspector comes second because disconnecting it gives
// every heap object a new id, which ruins a diff by ids; and no session stays open, because an open
// one keeps the console's arguments alive and holds the process up when it ends.
//
// The program must not notice: no output, no exit code, no event loop kept alive, no use of what it
// may replace later (fake clocks, patched modules), and a fault here ends only this. The syntax is
// so old that a Node without support (8.3 to 17) passes over the file in silence.

const SERVE = 'heaptui.serve';
const CLOSED_MS = 100; // how long the end of the program waits for an open session to be closed
const LOOP_RESOLUTION_MS = 50; // 0.15 % CPU; 10 ms would take 0.75 %

const major = parseInt(process.versions.node, 10);
const hrtime = process.hrtime;

/** Monotonic milliseconds: the same clock in both threads. */
function now() {
  const [seconds, nanoseconds] = hrtime();
  return seconds * 1e3 + nanoseconds / 1e6;
}

try {
  const { bun, deno, electron } = process.versions;
  const { HEAPTUI_SOCKET, HEAPTUI_TASK } = process.env;
  const wanted = HEAPTUI_SOCKET && HEAPTUI_TASK && major >= 18 && !bun && !deno && !electron;
  const threads = wanted && require('worker_threads');
  // the program's own workers load this file as well, and a task in a task names two of them
  if (wanted && threads.isMainThread && !globalThis[Symbol.for(SERVE)]) {
    // No function below names `require`: it would live in their scope, which the program's global
    // object reaches through `serve`, and every module would seem to be held by heaptui.
    const node = {
      threads,
      v8: require('v8'),
      vm: require('vm'),
      hooks: require('perf_hooks'),
      channel: require('diagnostics_channel').channel,
    };
    start(node, { serve: SERVE, socket: HEAPTUI_SOCKET, task: HEAPTUI_TASK, title: title() });
  }
} catch (_) {
  // without figures, then: the program comes first
}

function start(node, told) {
  told.inspected = new Int32Array(new SharedArrayBuffer(4)); // 1: the worker holds a session
  const worker = silently(() => new node.threads.Worker(`${__dirname}/node_socket.cjs`, {
    workerData: told,
    // neither the program's options nor its other preloads run in this thread
    env: {},
    execArgv: [],
    argv: [],
    // else its streams are wired to the program's
    stdout: true,
    stderr: true,
    // Node 24 reserves half a gigabyte for a second isolate's code, and dies of an RLIMIT_DATA
    // that has no room for it
    resourceLimits: { maxOldGenerationSizeMb: 24, maxYoungGenerationSizeMb: 2, codeRangeSizeMb: 8 },
  }));
  worker.on('error', () => {});
  try {
    listen(node, worker, told.inspected);
  } catch (_) {
    worker.terminate();
  } finally {
    worker.unref(); // last: whoever listens to it holds it
  }
}

/** Serves what the worker asks. */
function listen(node, worker, inspected) {
  const send = worker.postMessage.bind(worker);

  const { getHeapStatistics, getHeapSpaceStatistics } = node.v8;
  const { setFlagsFromString, writeHeapSnapshot } = node.v8;
  const { runInNewContext } = node.vm;
  const memoryUsage = process.memoryUsage;
  const counted = count(node);
  let served = 0;
  let watching = false;
  let gc = null;

  function figures() {
    const heap = getHeapStatistics();
    let young = 0;
    for (const space of getHeapSpaceStatistics()) {
      if (/^new_/.test(space.space_name)) young += space.space_used_size;
    }
    return {
      taken: now(),
      used: heap.used_heap_size,
      committed: heap.total_heap_size,
      limit: heap.heap_size_limit,
      external: heap.external_memory,
      array_buffers: memoryUsage().arrayBuffers,
      old: Math.max(0, heap.used_heap_size - young),
      new: young,
      gc_count: counted.collections,
      gc_ms: counted.collectionsMs,
      loop_delay_ms: counted.loopDelay(),
      requests: counted.requests,
    };
  }

  function collect() {
    if (!gc) {
      const exposed = typeof globalThis.gc === 'function';
      setFlagsFromString('--expose-gc');
      gc = runInNewContext('gc');
      // every later context would have a `gc`, and cached code would not fit the flags any more
      if (!exposed) setFlagsFromString('--no-expose-gc');
    }
    // A plain gc() leaves freed pages with the process from Node 22 on. Before it these options
    // mean a minor collection, and what finalizers release goes with the next full one.
    if (major >= 22) gc({ type: 'major', flavor: 'last-resort' });
    else for (let round = 0; round < 3; round++) gc();
  }

  /** A process that ends while a session is open says so on stderr: gives it time to be closed. */
  function beforeExit() {
    const until = now() + CLOSED_MS;
    while (inspected[0] && now() < until) Atomics.wait(inspected, 0, 1, 5);
  }

  /** Listens for the end only while it must: the program may count listeners, and hears of the
   *  eleventh. */
  function watchExit() {
    if (watching === (inspected[0] === 1)) return;
    const most = process.getMaxListeners();
    if (watching) process.removeListener('exit', beforeExit);
    else if (most && process.listenerCount('exit') >= most) return;
    else process.on('exit', beforeExit);
    watching = !watching;
  }

  /** Called by message or through the inspector. Commands count upwards from 1; 0 asks figures. */
  function serve(command, op, part) {
    if (command && command <= served) return;
    try {
      watchExit();
      if (!command) return void send({ figures: figures(), pong: op === 'ping' });
      served = command;
      send({ begun: command });
      const used = getHeapStatistics().used_heap_size;
      const rss = memoryUsage.rss();
      const began = now();
      if (op === 'gc') collect();
      else writeHeapSnapshot(part);
      send({ ended: command, pause: now() - began, used, rss, figures: figures() });
    } catch (error) {
      send({ ended: command, failure: { code: error.code, message: String(error.message) } });
    }
  }

  Object.defineProperty(globalThis, Symbol.for(SERVE), { value: serve, configurable: true });
  worker.on('message', (asked) => serve(asked.command, asked.op, asked.part));
  send({ figures: figures() }); // a program may be busy from its first line on
}

/** Without the tick in which a new Worker is told to the listeners of process 'worker': it is none
 *  of theirs, and with a tick in the queue a module's traceback has one frame more. */
function silently(make) {
  const nextTick = process.nextTick;
  process.nextTick = () => {};
  try {
    return make();
  } finally {
    process.nextTick = nextTick;
  }
}

/** What is counted as it happens: collections, HTTP requests, delays of the event loop. */
function count({ hooks, channel }) {
  const names = ['http.server.request.start', 'http.client.request.start', 'undici:request:create'];
  const channels = names.map((name) => channel(name)); // kept: nobody else may hold them
  const counted = { collections: 0, collectionsMs: 0, requests: 0, channels, loopDelay };
  new hooks.PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      counted.collections += 1;
      counted.collectionsMs += entry.duration;
    }
  }).observe({ entryTypes: ['gc'] });
  for (const each of channels) each.subscribe(() => void (counted.requests += 1));
  const delays = hooks.monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS });
  delays.enable();
  /** The longest since it was last asked. The histogram holds times between two wake-ups. */
  function loopDelay() {
    const longest = delays.count ? delays.max / 1e6 - LOOP_RESOLUTION_MS : 0;
    delays.reset();
    return Math.max(0, longest);
  }
  return counted;
}

/** The script's name, with its directory's where the name says nothing. */
function title() {
  if (process.execArgv.some((word) => /^(-e|-p|-pe|--eval|--print)\b/.test(word))) return 'node -e';
  const words = String(process.argv[1] || 'node').split('/');
  const name = words.pop();
  const vague = /^(index|main|cli|bin|run|start|server|app)(\.[cm]?[jt]s)?$/.test(name);
  return (vague && words.length ? `${words.pop()}/${name}` : name).slice(0, 200);
}
