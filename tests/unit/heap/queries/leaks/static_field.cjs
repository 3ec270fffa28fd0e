class Metrics {
  static samples = [];
}
exports.grow = (times) => {
  for (let i = 0; i < times; i++) Metrics.samples.push({ i, text: 'x'.repeat(100) + i });
};
