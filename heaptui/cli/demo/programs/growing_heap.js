// An agent whose cache of tool results never evicts: the classic way to a heap that is full.
// Fast for twenty seconds, then three MB in four seconds, until V8's heap limit ends it.
'use strict';

const MB = 1024 * 1024;
const FAST_MB_PER_S = 6;
const SLOW_MB_PER_S = 0.75;
const FAST_SECONDS = 20;
const TICK_MS = 250;

const cache = new Map();
let seed = 42;
let cachedBytes = 0;

function random() {
  // xorshift32: the same figures in every run
  seed ^= seed << 13;
  seed ^= seed >>> 17;
  seed ^= seed << 5;
  return (seed >>> 0) / 2 ** 32;
}

function toolResult(bytes) {
  const words = ['read', 'grep', 'edit', 'error', 'import', 'return', 'await', 'const'];
  let text = '';
  while (text.length < bytes) text += `${words[(random() * words.length) | 0]} ${(random() * 1e9) | 0}\n`;
  return Buffer.from(text).toString('latin1'); // one flat string, as if read from a file
}

const started = Date.now();
let turns = 0;

setInterval(() => {
  const seconds = (Date.now() - started) / 1000;
  const rate = seconds < FAST_SECONDS ? FAST_MB_PER_S : SLOW_MB_PER_S;
  for (let left = (rate * MB * TICK_MS) / 1000; left > 0; left -= 32 * 1024) {
    const result = toolResult(32 * 1024);
    cache.set(`turn-${turns}/${cache.size}`, result);
    cachedBytes += result.length;
  }
  turns += 1;
  if (turns % 8 === 0) {
    const used = Math.round(process.memoryUsage().heapUsed / MB);
    console.log(`turn ${turns}: ${cache.size} results cached, ${Math.round(cachedBytes / MB)} MB; heap ${used} MB`);
  }
}, TICK_MS);
