const chunks = [];
exports.grow = (times) => {
  for (let i = 0; i < times; i++) chunks.push(Buffer.alloc(10_000, i));
};
