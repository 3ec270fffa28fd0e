'use strict';
// heaptui's worker protocol for Node.js, with nothing but Node.js: copy it into your project.
//
//   const { connect } = require('./worker.cjs');
//   const worker = connect();
//   const state = worker.resume() || { next: 0 };
//   for (let n = state.next; n < 1000; n++) {
//     await work(n);
//     worker.progress(n + 1, 1000);
//     await worker.checkpoint({ next: n + 1 });
//     if (worker.draining) { await worker.drained(); process.exit(0); }
//   }
//   await worker.result({ count: 1000 });
//   worker.close();
//
// A task that names what it works through needs no more than
//
//   for await (const path of worker.items()) await work(path);
//   await worker.close();
//
// Each item is done when its turn of the loop has ended; a drain ends the loop between two of them.
//
// Executed by itself it is an example: node examples/worker.cjs UNITS MILLISECONDS
//
// Without heaptui around it does nothing, and keeps checkpoints only where $HEAPTUI_CHECKPOINT
// names a file. No trouble with the socket ever reaches the work. WORKERS.md tells the protocol.

const fs = require('fs');
const net = require('net');
const path = require('path');

const DATA_MAX = 1024 * 1024; // bytes of JSON; more belongs into a file
const LINE_MAX = 64 * 1024;
const HAND_MAX = 64;
const ROUND_MS = 150; // between two times that the same is told: the newest replaces the others
const BACK_OFF_MS = [100, 3000];
const LAST_WORDS_MS = 2000;

/** One for the process. `onDrain` is called once, when it is to finish what it has in hand. */
function connect({ onDrain = () => {}, can = ['checkpoint', 'drain'], title = '' } = {}) {
  const { HEAPTUI_SOCKET, HEAPTUI_TASK, HEAPTUI_CHECKPOINT, HEAPTUI_RESULT } = process.env;
  const { HEAPTUI_SLICE, HEAPTUI_DONE } = process.env;
  const told = new Map(); // the latest of each kind: another supervisor is told all of it again
  const due = new Set();
  let socket = null;
  let timer = null;
  let backOff = BACK_OFF_MS[0];
  let closed = !HEAPTUI_SOCKET || !HEAPTUI_TASK;
  let question = 0;
  const hand = new Set();
  let latest = {};
  const worker = { draining: false, checkpointWanted: false };

  function open() {
    const line = net.connect(HEAPTUI_SOCKET);
    const since = Date.now();
    let rest = '';
    line.setEncoding('utf8');
    line.unref(); // the work decides how long the process lives
    line.on('connect', () => {
      const { pid, ppid, version } = process;
      const hello = { v: 1, role: 'work', task: HEAPTUI_TASK, pid, ppid, title, can };
      say(line, { type: 'hello', ...hello, runtime: 'node', version });
      socket = line;
      for (const kind of told.keys()) due.add(kind);
      tellDue();
    });
    line.on('data', (text) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop();
      try {
        for (const order of lines) obey(JSON.parse(order));
      } catch (_) {
        line.destroy(); // whoever speaks like this is no supervisor
      }
      if (rest.length > LINE_MAX) line.destroy();
    });
    line.on('error', () => {}); // 'close' follows
    line.on('close', () => {
      if (socket === line) socket = null;
      if (closed) return;
      if (Date.now() - since > BACK_OFF_MS[1]) backOff = BACK_OFF_MS[0];
      setTimeout(open, backOff * (0.5 + Math.random())).unref();
      backOff = Math.min(2 * backOff, BACK_OFF_MS[1]);
    });
  }

  function say(line, message) {
    line.write(JSON.stringify(message) + '\n');
  }

  function tell(kind, words) {
    told.set(kind, { type: kind, ...words });
    due.add(kind);
    if (socket && !timer) tellDue();
  }

  function tellDue() {
    timer = null;
    if (!socket || due.size === 0) return;
    if (socket.writableLength < LINE_MAX) { // else a supervisor stands still: later, the newest
      for (const kind of ['progress', 'context', 'failed', 'checkpoint', 'result', 'drained']) {
        if (due.delete(kind)) say(socket, told.get(kind));
      }
      told.delete('failed'); // it was about one moment
    }
    timer = setTimeout(tellDue, ROUND_MS);
    timer.unref();
  }

  function obey({ op, id }) {
    if (op === 'checkpoint') {
      question = id;
      worker.checkpointWanted = true;
    } else if (op === 'drain' && !worker.draining) {
      worker.draining = true;
      onDrain();
    }
  }

  /** Waits until what was told is on its way, if anybody listens. */
  async function flush() {
    const until = Date.now() + LAST_WORDS_MS;
    while (socket && (due.size > 0 || socket.writableLength > 0) && Date.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      if (due.size > 0) tellDue();
    }
  }

  /** Whole or not at all; written here, so that it needs no supervisor to be safe. */
  async function put(target, write) {
    if (!target) return 'there is no place for it';
    const part = `${target}.${process.pid}.part`;
    try {
      const file = await fs.promises.open(part, 'w', 0o600);
      try {
        await write(file, part);
        await file.chmod(0o600); // a copy came with the mode of its source
        await file.sync();
      } finally {
        await file.close();
      }
      await fs.promises.rename(part, target);
      const directory = await fs.promises.open(path.dirname(target), 'r');
      await directory.sync().finally(() => directory.close());
      return null;
    } catch (error) {
      await fs.promises.unlink(part).catch(() => {});
      return error.message;
    }
  }

  function json(value, what) {
    const data = JSON.stringify(value);
    if (Buffer.byteLength(data) > DATA_MAX) {
      throw new RangeError(`a ${what} of more than ${DATA_MAX} bytes of JSON: use ${what}File`);
    }
    return (file) => file.writeFile(data);
  }

  const lines = (from) => fs.readFileSync(from, 'utf8').split('\n');

  function hold(item, begun) {
    if (begun) hand.add(item);
    else hand.delete(item);
    latest = { ...latest, hand: [...hand].slice(0, HAND_MAX) };
    tell('progress', latest);
  }

  const copied = (from) => (_, part) => fs.promises.copyFile(from, part);

  async function keepCheckpoint(write, note) {
    worker.checkpointWanted = false;
    const id = question;
    question = 0;
    const trouble = await put(HEAPTUI_CHECKPOINT, write);
    if (trouble === null) tell('checkpoint', { id, note });
    else if (HEAPTUI_CHECKPOINT) tell('failed', { id, code: 'disk', text: trouble });
    return trouble === null;
  }

  async function keepResult(write) {
    const kept = (await put(HEAPTUI_RESULT, write)) === null;
    if (kept) tell('result', {});
    return kept;
  }

  let last = Promise.resolve(); // one after the other: a later one is never overtaken
  const inTurn = (work) => (last = last.then(work, work));

  Object.assign(worker, {
    /** The newest checkpoint of any attempt; null where there is none yet. */
    resume() {
      if (!HEAPTUI_CHECKPOINT || !fs.existsSync(HEAPTUI_CHECKPOINT)) return null;
      return JSON.parse(fs.readFileSync(HEAPTUI_CHECKPOINT, 'utf8'));
    },
    /** How far it is, in units of your own. */
    progress(done, total, text = '') {
      latest = { ...latest, done, total, text };
      tell('progress', latest);
    },
    /** How many tokens the model's context held at the latest call, and how many it can hold. */
    context: (used, limit) => tell('context', { used, limit }),
    /** What is to be done: the lines of $HEAPTUI_SLICE, or `names`, that are not done already. */
    left(names = HEAPTUI_SLICE ? lines(HEAPTUI_SLICE) : []) {
      const there = HEAPTUI_DONE && fs.existsSync(HEAPTUI_DONE);
      const done = new Set(there ? lines(HEAPTUI_DONE).slice(0, -1) : []);
      return names.filter((name) => name !== '' && !done.has(name));
    },
    /** Goes through what is left: an item is done when the next one is asked for. */
    async *items(names) {
      for (const name of worker.left(names)) {
        if (worker.draining) {
          tell('drained', {});
          return;
        }
        hold(name, true);
        let whole = false;
        try {
          yield name;
          whole = true;
        } finally {
          if (!whole) hold(name, false); // it was left by break, or by what it threw
        }
        worker.done(name);
      }
    },
    /** This item, in the words in which it was given, needs never be done again. */
    done(item) {
      if (item === '' || /[\n\r\0]/.test(item)) throw new RangeError('an item is one line');
      if (HEAPTUI_DONE) fs.appendFileSync(HEAPTUI_DONE, item + '\n', { mode: 0o600 });
      hold(item, false);
    },
    /** Keeps what another attempt needs to go on; resolves to whether it is kept. */
    checkpoint(state, note = '') {
      const write = json(state, 'checkpoint');
      return inTurn(() => keepCheckpoint(write, note));
    },
    /** As `checkpoint`, a copy of this file of any size and form. */
    checkpointFile: (from, note = '') => inTurn(() => keepCheckpoint(copied(from), note)),
    /** Hands in what the task was for; the last one counts. */
    result(value) {
      const write = json(value, 'result');
      return inTurn(() => keepResult(write));
    },
    resultFile: (from) => inTurn(() => keepResult(copied(from))),
    /** One line for the task's history; what nobody is there to read is left out. */
    log(text) {
      if (!socket || socket.writableLength >= LINE_MAX) return;
      say(socket, { type: 'log', text: String(text).slice(0, 1000) });
    },
    /** What was in hand is done and kept: end now. */
    async drained() {
      await last;
      tell('drained', {});
      await flush();
    },
    /** Says the rest, and nothing any more. */
    async close() {
      await last;
      await flush();
      closed = true;
      if (socket) socket.end();
    },
  });
  if (!closed) open();
  return worker;
}

module.exports = { connect };

async function example(units, ms) {
  const worker = connect();
  let state = worker.resume() || { next: 0, sum: 0 };
  console.log(`begins at ${state.next}`);
  for (let unit = state.next; unit < units; unit++) {
    await new Promise((resolve) => setTimeout(resolve, ms));
    state = { next: unit + 1, sum: state.sum + unit * unit };
    worker.progress(state.next, units, `unit ${unit}`);
    await worker.checkpoint(state);
    if (worker.draining) {
      await worker.drained();
      process.exit(0);
    }
  }
  await worker.result({ sum: state.sum });
  await worker.close();
}

if (require.main === module) {
  example(Number(process.argv[2] || 100), Number(process.argv[3] || 100));
}
