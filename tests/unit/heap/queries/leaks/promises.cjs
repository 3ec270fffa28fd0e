const ready = new Promise(() => {});
async function waitUntilReady(i) {
  const payload = { text: 'x'.repeat(100) + i };
  await ready;
  return payload;
}
exports.grow = (times) => {
  for (let i = 0; i < times; i++) waitUntilReady(i);
};
