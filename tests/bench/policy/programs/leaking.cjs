'use strict';
// A worker that leaks: node leaking.cjs UNITS MILLISECONDS BYTES LEDGER [keeps]
//
// Each unit of work takes MILLISECONDS, leaves BYTES behind on the heap for ever and appends its
// number to LEDGER. With `keeps` it can be asked for checkpoints and goes on from the newest.

const fs = require('fs');
const path = require('path');
const { connect } = require(path.join(__dirname, '../../../../examples/worker.cjs'));

const [units, ms, bytes] = process.argv.slice(2, 5).map(Number);
const ledger = process.argv[5];
const OBJECT_BYTES = 64;
const kept = [];

function leak(unit) {
  const objects = new Array(Math.floor(bytes / OBJECT_BYTES));
  for (let n = 0; n < objects.length; n++) objects[n] = { unit, n, half: n / 2 };
  kept.push(objects);
}

async function main() {
  const worker = process.argv[6] === 'keeps' ? connect() : null;
  const begin = (worker && worker.resume()) || { next: 0 };
  for (let unit = begin.next; unit < units; unit++) {
    await new Promise((resolve) => setTimeout(resolve, ms));
    leak(unit);
    fs.appendFileSync(ledger, `${unit}\n`);
    if (!worker) continue;
    worker.progress(unit + 1, units);
    if (worker.checkpointWanted || worker.draining) await worker.checkpoint({ next: unit + 1 });
    if (worker.draining) {
      await worker.drained();
      process.exit(0);
    }
  }
  if (worker) {
    await worker.result({ units });
    await worker.close();
  }
}

main();
