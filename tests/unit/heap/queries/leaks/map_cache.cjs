const responses = new Map();
exports.grow = (times) => {
  for (let i = 0; i < times; i++) responses.set(`request ${responses.size}`, { body: 'x'.repeat(100) + i });
};
