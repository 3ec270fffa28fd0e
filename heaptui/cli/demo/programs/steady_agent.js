// An agent that behaves: it reads files again and again, keeps a bounded window of them, and its
// heap stays where it is. Runs for ten minutes.
'use strict';

const fs = require('node:fs');
const path = require('node:path');

const WINDOW_BYTES = 24 * 1024 * 1024;
const TURN_MS = 400;
const RUN_MS = 10 * 60 * 1000;

const files = fs
  .readdirSync(__dirname)
  .filter((name) => /\.(js|py|sh)$/.test(name))
  .sort();

const recent = [];
let recentBytes = 0;
let turn = 0;
let tokens = 0;

function remember(text) {
  recent.push(text);
  recentBytes += text.length;
  while (recentBytes > WINDOW_BYTES) recentBytes -= recent.shift().length;
}

const timer = setInterval(() => {
  const name = files[turn % files.length];
  const text = fs.readFileSync(path.join(__dirname, name), 'latin1');
  const lines = text.split('\n');
  const functions = lines.filter((line) => /^\s*(async )?(function|def) /.test(line)).length;
  for (let copy = 0; copy < 24; copy += 1) {
    remember(Buffer.from(`${turn}/${copy}\n${text.repeat(8)}`).toString('latin1'));
  }
  turn += 1;
  tokens += Math.round(text.length / 4);
  console.log(`turn ${turn}: read ${name} (${lines.length} lines, ${functions} functions), ${tokens} tokens so far`);
}, TURN_MS);

setTimeout(() => {
  clearInterval(timer);
  console.log(`done after ${turn} turns`);
}, RUN_MS);
