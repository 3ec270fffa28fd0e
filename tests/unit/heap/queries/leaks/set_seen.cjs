const seen = new Set();
exports.grow = (times) => {
  for (let i = 0; i < times; i++) seen.add({ url: 'x'.repeat(100) + i });
};
