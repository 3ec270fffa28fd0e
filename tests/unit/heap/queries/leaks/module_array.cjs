const history = [];
exports.grow = (times) => {
  for (let i = 0; i < times; i++) history.push({ i, text: 'x'.repeat(100) + i });
};
