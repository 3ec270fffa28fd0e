globalThis.collectedRows = [];
exports.grow = (times) => {
  for (let i = 0; i < times; i++) globalThis.collectedRows.push({ i, text: 'x'.repeat(100) + i });
};
