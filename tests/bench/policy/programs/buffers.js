// Memory beside V8's heap: 5 MB every 10 ms.
const held = [];
setInterval(() => held.push(Buffer.alloc(5 << 20, 1)), 10);
