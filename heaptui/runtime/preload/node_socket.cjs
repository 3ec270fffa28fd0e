'use strict';
// The worker thread of node.cjs: it owns the control socket and answers there, whatever the main
// thread does. heaptui/wire.py says what is spoken.

const fs = require('fs');
const net = require('net');
const { parentPort: port, workerData: told } = require('worker_threads');

const LINE_MAX = 64 * 1024;
const QUEUE_MAX = 8; // commands that wait for one another
const WAITING_MAX = 256; // answers owed at once; who asks more is let go
const UNSENT_MAX = 1024 * 1024; // bytes that an engine may leave unread before it is let go
const EVERY_MS = 1000;
const EVERY_LEAST_MS = 50;
const TAKEN_UP_MS = 20; // main that has not answered for so long is busy
const SNAPSHOT_MS = 1000; // a session renumbers objects: two snapshots could not be compared
const FIGURES_MS = 14; // how long an answer waits for fresh figures before the kept ones go
const NATIVE_MS = 200; // V8 did not come to a statement for so long: main is in a native call
const SETTLE_MS = [15, 80]; // V8's own threads give pages back after the collection: step, most
const BACK_OFF_MS = [100, 3000];
const DISK = ['ENOSPC', 'EDQUOT', 'EFBIG', 'EROFS', 'EIO'];

const major = parseInt(process.versions.node, 10);
const rss = process.memoryUsage.rss;

let socket = null; // the engine's that was said hello to
let backOff = BACK_OFF_MS[0];
let pushes = null;
let figures = null; // main's latest
let askedAt = 0; // when main was asked for figures it has not sent yet
let inspected = null; // the open session: { session, pending, since }
let commands = 0;
let current = null; // the command that is served
const queue = [];
const waiting = new Set(); // to be called when main's next figures are here

/** Monotonic milliseconds: the same clock in both threads. */
function now() {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e3 + nanoseconds / 1e6;
}

// --- the socket ---------------------------------------------------------------------------------
function connect() {
  const mine = net.connect(told.socket);
  const since = now();
  let rest = '';
  mine.setEncoding('utf8');
  mine.on('connect', () => {
    socket = mine;
    const { pid, ppid, version } = process;
    const can = ['gc', 'snapshot'];
    const { task, title } = told;
    say(mine, { type: 'hello', v: 1, task, pid, ppid, runtime: 'node', version, title, can });
    push(EVERY_MS);
    heap(mine, 0);
  });
  mine.on('data', (text) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop();
    const sense = lines.every((line) => mine.destroyed || obey(mine, line));
    // whoever speaks like this is no engine of heaptui
    if (!sense || rest.length > LINE_MAX) mine.destroy();
  });
  mine.on('error', () => {}); // 'close' follows
  mine.on('close', () => {
    if (socket === mine) socket = null;
    clearInterval(pushes);
    // an engine that lets us go at once is not asked again at once
    if (now() - since > BACK_OFF_MS[1]) backOff = BACK_OFF_MS[0];
    setTimeout(connect, backOff * (0.5 + Math.random()));
    backOff = Math.min(2 * backOff, BACK_OFF_MS[1]);
  });
}

function say(to, message) {
  if (to !== socket || to.destroyed) return; // the engine that is there now did not ask this
  to.write(JSON.stringify(message) + '\n');
  if (to.writableLength > UNSENT_MAX) to.destroy();
}

function push(ms) {
  clearInterval(pushes);
  pushes = setInterval(() => {
    // one that reads slowly gets fewer figures, not older ones
    if (socket && socket.writableLength < LINE_MAX) heap(socket, 0);
  }, Math.min(Math.max(ms, EVERY_LEAST_MS), 3600e3));
}

/** False: the line makes no sense. */
function obey(from, line) {
  let asked = null;
  try {
    asked = line.length <= LINE_MAX && JSON.parse(line);
  } catch (_) {
    return false;
  }
  const { op, id, path, ms } = asked || {};
  if (op === 'every' && Number.isFinite(ms)) return push(ms), true;
  if (typeof op !== 'string' || !Number.isSafeInteger(id)) return false;
  if (op === 'heap') return waiting.size < WAITING_MAX && (heap(from, id), true);
  if (op === 'snapshot' && !(typeof path === 'string' && /^\/[^\0]*$/.test(path))) return false;
  if (op !== 'gc' && op !== 'snapshot') {
    const text = `this process knows no command ${op.slice(0, 40)}`;
    say(from, { type: 'failed', id, code: 'unsupported', text });
  } else if (queue.length >= QUEUE_MAX) {
    fail({ from, id }, { message: `${QUEUE_MAX} commands wait already` });
  } else {
    queue.push({ from, id, op, path, part: op === 'gc' ? undefined : `${path}.part` });
    next();
  }
  return true;
}

// --- figures ------------------------------------------------------------------------------------
const busy = () => askedAt > 0 && now() - askedAt > TAKEN_UP_MS;

function heap(to, id) {
  // regular figures of a busy program are left to age: a session every second would disturb it
  if (id && busy() && !current && !inspected) evaluate({ command: 0, op: 'look' });
  if (!askedAt) {
    askedAt = now();
    port.postMessage({ command: 0, op: 'ping' });
  }
  const answer = () => {
    clearTimeout(patience);
    waiting.delete(answer);
    report(to, id);
  };
  const patience = setTimeout(answer, FIGURES_MS);
  waiting.add(answer);
}

function report(to, id) {
  if (!figures) return; // main sends the first before it loads the program
  const stuck = inspected && now() - inspected.since > NATIVE_MS && !(current && current.begun);
  const { taken, ...known } = figures;
  const age_ms = now() - taken;
  say(to, {
    ...known,
    type: 'heap',
    id,
    at: (Date.now() - age_ms) / 1e3,
    age_ms,
    main: !askedAt ? 'idle' : stuck ? 'native' : 'busy',
    loop_delay_ms: Math.max(known.loop_delay_ms, askedAt && now() - askedAt),
    rss: rss(),
  });
}

/** Calls main's `serve` through the inspector. */
function evaluate(asked) {
  try {
    if (!inspected) {
      const session = new (require('inspector').Session)();
      Atomics.store(told.inspected, 0, 1);
      session.connectToMainThread();
      inspected = { session, pending: 0, since: now() };
    }
  } catch (_) {
    Atomics.store(told.inspected, 0, 0);
    return; // a Node built without it: main serves when it comes back to its loop
  }
  const mine = inspected;
  const given = [asked.command, asked.op, asked.part].map((word) => JSON.stringify(word)).join();
  const expression = `globalThis[Symbol.for('${told.serve}')](${given})`;
  mine.pending += 1;
  mine.session.post('Runtime.evaluate', { expression, silent: true }, () => {
    mine.pending -= 1;
    if (mine.pending) return;
    inspected = null;
    mine.session.disconnect();
    Atomics.store(told.inspected, 0, 0);
    Atomics.notify(told.inspected, 0);
  });
}

// --- commands, one after another ----------------------------------------------------------------
function next() {
  if (current || !queue.length) return;
  const mine = (current = queue.shift());
  if (mine.from.destroyed) return leave(() => {}); // who asked for it would never hear of it
  mine.command = ++commands;
  mine.since = now();
  try {
    if (mine.part) {
      if (fs.existsSync(mine.path)) throw { code: 'EEXIST', message: `${mine.path} exists` };
      fs.closeSync(fs.openSync(mine.part, 'wx', 0o600)); // private before its first byte
    }
  } catch (error) {
    return leave(() => fail(mine, error));
  }
  const asked = { command: mine.command, op: mine.op, part: mine.part };
  const patience = mine.part ? SNAPSHOT_MS : busy() ? 0 : TAKEN_UP_MS;
  const unheard = setTimeout(() => evaluate(asked), patience);
  const stuck = setTimeout(phase, NATIVE_MS, mine, 'waiting');
  mine.begin = () => {
    clearTimeout(unheard);
    clearTimeout(stuck);
    mine.begun = true;
    phase(mine, mine.part ? 'writing' : 'collecting');
  };
  port.postMessage(asked);
}

function leave(say) {
  current = null;
  setImmediate(next);
  say();
}

function end(mine, { failure, pause, used, rss: before, figures }) {
  if (!mine.part) {
    if (failure) return fail(mine, failure);
    return settle(rss(), now(), (after) => {
      const collected = {
        flavour: major >= 22 ? 'last-resort' : 'three full',
        pause_ms: pause,
        used_before: used,
        used_after: figures.used,
        rss_before: before,
        rss_after: after,
      };
      say(mine.from, { type: 'done', id: mine.id, collected });
    });
  }
  try {
    if (failure) throw failure;
    const bytes = fs.statSync(mine.part).size;
    name(mine.part, mine.path);
    const written = { path: mine.path, bytes, took_ms: now() - mine.since, pause_ms: pause, used };
    say(mine.from, { type: 'done', id: mine.id, written });
  } catch (error) {
    fs.rmSync(mine.part, { force: true });
    fail(mine, error);
  }
}

/** Gives a whole snapshot its name, unless that is taken. */
function name(part, path) {
  try {
    fs.linkSync(part, path); // unlike a rename it goes over nothing
    fs.unlinkSync(part);
  } catch (error) {
    if (error.code === 'EEXIST') throw error;
    fs.closeSync(fs.openSync(path, 'wx', 0o600)); // no hard links here: the name is taken first
    fs.renameSync(part, path);
  }
}

/** Calls `then` with the resident memory when that has stopped falling. */
function settle(last, since, then) {
  setTimeout(() => {
    const held = rss();
    if (held < last - (1 << 20) && now() - since < SETTLE_MS[1]) settle(held, since, then);
    else then(held);
  }, SETTLE_MS[0]);
}

function phase(mine, name) {
  say(mine.from, { type: 'phase', id: mine.id, name });
}

function fail(mine, error) {
  const code = DISK.includes(error.code) ? 'disk' : error.code === 'EEXIST' ? 'exists' : 'error';
  say(mine.from, { type: 'failed', id: mine.id, code, text: String(error.message).slice(0, 999) });
}

port.on('message', (message) => {
  if (message.figures) {
    figures = message.figures;
    if (message.pong) askedAt = 0;
    for (const answer of waiting) answer();
  }
  const mine = current;
  if (mine && message.begun === mine.command) mine.begin();
  if (mine && message.ended === mine.command) leave(() => end(mine, message));
});
connect();
