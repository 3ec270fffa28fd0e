// node driver.mjs PROGRAM FIRST SECOND [ENTRIES]: a leak's program in work, with two snapshots of it.
// Beside it stands an innocent cache, which replaces all its entries between the two.
import v8 from 'node:v8';
import vm from 'node:vm';
import { pathToFileURL } from 'node:url';

const [, , program, first, second, entries] = process.argv;
const leaky = await import(pathToFileURL(program));
const grow = leaky.grow ?? leaky.default.grow;

v8.setFlagsFromString('--expose-gc');
const gc = vm.runInNewContext('gc');

const cache = new Map();
// of one length for ever, so that no entry is larger than the one that it replaces
let next = 1_000_000;
function work(count) {
  for (let i = 0; i < count; i++) {
    const id = next++;
    cache.set(id, { id, text: `text ${id}`.padEnd(200, '.') + id, meta: { at: id * 1.5, tags: [`${id}`, {}] } });
    cache.delete(id - Number(entries ?? 5000));
  }
}

async function collected(file) {
  // what waits in the loop has to have run, or it counts as growth
  for (let i = 0; i < 5; i++) {
    await new Promise((resolve) => setImmediate(resolve));
    gc();
  }
  v8.writeHeapSnapshot(file);
}

work(Number(entries ?? 5000) * 1.01);
grow(100);
await collected(first);
// in turns, as programs do: what leaks comes to lie among what is replaced
for (let turn = 0; turn < 10; turn++) {
  work(Number(entries ?? 5000) / 9);
  grow(400);
}
await collected(second);
process.exit(cache.size > 0 ? 0 : 1);
