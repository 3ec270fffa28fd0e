const ring = new Array(500).fill(null);
let at = 0;
exports.grow = (times) => {
  for (let i = 0; i < times; i++) ring[at++ % ring.length] = { i, text: 'x'.repeat(100) + i };
};
exports.grow(ring.length);
