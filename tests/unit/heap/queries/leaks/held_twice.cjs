const byId = new Map();
const recent = [];
exports.grow = (times) => {
  for (let i = 0; i < times; i++) {
    const entry = { text: 'x'.repeat(100) + i };
    byId.set(`entry ${byId.size}`, entry);
    recent.push(entry);
  }
};
