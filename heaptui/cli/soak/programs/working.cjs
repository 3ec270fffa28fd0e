"use strict";
// An agent: holds what it read, works through its units, checkpoints on the way, and, where the soak
// says so, keeps a little more of each unit than it should. As working.py; speaks heaptui/wire.py by
// itself.

const crypto = require("node:crypto");
const fs = require("node:fs");
const net = require("node:net");

const [path, words] = process.argv.slice(2);
const job = JSON.parse(words);
const CHECKPOINT_EVERY = 3;
const AGAIN_MS = 200;

// --- evidence: as in evidence.py, but for its lock, which Node does not have
const notes = fs.openSync(path, "a", 0o600);
function tell(what, unit = 0) {
  const line = {
    what,
    unit,
    attempt: Number(process.env.HEAPTUI_ATTEMPT || 0),
    pid: process.pid,
    at: Date.now() / 1000,
  };
  fs.writeSync(notes, JSON.stringify(line) + "\n");
  fs.fsyncSync(notes);
}

// --- the supervisor
let socket = null;
let draining = false;
let asked = null; // the id of a question for a checkpoint
let outstanding = null; // { what, message, kept }: sent, and not known to be on disk
const wakers = new Set();

function wake() {
  for (const waker of wakers) waker();
  wakers.clear();
}

function send(message) {
  if (socket !== null) socket.write(JSON.stringify(message) + "\n");
}

function connect() {
  const wire = net.createConnection(process.env.HEAPTUI_SOCKET);
  let rest = "";
  wire.on("connect", () => {
    socket = wire;
    send({
      type: "hello",
      v: 1,
      task: process.env.HEAPTUI_TASK,
      pid: process.pid,
      ppid: process.ppid,
      runtime: "node",
      version: process.version,
      role: "work",
      can: ["checkpoint", "drain"],
    });
    // whoever was there before may not have put it in its place
    if (outstanding !== null) send(outstanding.message);
  });
  wire.setEncoding("utf8");
  wire.on("data", (text) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop();
    for (const line of lines) hear(JSON.parse(line));
  });
  wire.on("error", () => {});
  wire.on("close", () => {
    socket = null;
    setTimeout(connect, AGAIN_MS);
  });
}

function hear(message) {
  if (message.op === "kept" && outstanding !== null && outstanding.what === message.what) {
    const { kept } = outstanding;
    outstanding = null;
    kept(!message.error);
  } else if (message.op === "checkpoint") {
    asked = message.id;
  } else if (message.op === "drain") {
    draining = true;
  }
  wake();
}

process.on("SIGTERM", () => {
  draining = true;
  wake();
});

function handIn(what, message) {
  return new Promise((kept) => {
    outstanding = { what, message, kept };
    send(message);
  });
}

const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

async function free() {
  while (outstanding !== null) await new Promise((waker) => wakers.add(waker));
}

// --- the work
const hash = (text) => crypto.createHash("sha256").update(text).digest("hex");
let [next, digest] = [0, hash(job.key)];
const held = [Buffer.alloc(job.hold_bytes, 1)];

async function checkpoint() {
  const at = next;
  const id = asked ?? 0;
  asked = null;
  const data = { next, digest };
  const kept = await handIn("checkpoint", { type: "checkpoint", id, data });
  if (kept) tell("kept", at);
  return kept;
}

async function main() {
  if (fs.existsSync(process.env.HEAPTUI_CHECKPOINT)) {
    ({ next, digest } = JSON.parse(fs.readFileSync(process.env.HEAPTUI_CHECKPOINT, "utf8")));
  }
  tell("begin", next);
  connect();
  while (job.until ? !fs.existsSync(job.until) : next < job.units) {
    await sleep(job.unit_s * 1000);
    held.push(new Array(Math.floor(job.leak_bytes / 8)).fill(next + 0.5));
    digest = hash(`${digest}:${next}`);
    tell("unit", next);
    next += 1;
    send({ type: "progress", done: next, total: job.until ? null : job.units, text: "working" });
    if (draining) {
      await free();
      while (!(await checkpoint())) await sleep(AGAIN_MS);
      send({ type: "drained" });
      tell("drained", next);
      leave();
      return;
    }
    if (outstanding === null && (asked !== null || next % CHECKPOINT_EVERY === 0)) checkpoint();
  }
  await free();
  const data = { key: job.key, units: next, digest };
  while (!(await handIn("result", { type: "result", data }))) await sleep(AGAIN_MS);
  tell("result", next);
  tell("end", 0);
  leave();
}

function leave() {
  if (socket === null) process.exit(0);
  socket.end(() => process.exit(0));
}

main();
