function makeKeeper() {
  const kept = [];
  return function keep(item) {
    kept.push(item);
  };
}
const keep = makeKeeper();
exports.grow = (times) => {
  for (let i = 0; i < times; i++) keep({ i, text: 'x'.repeat(100) + i });
};
