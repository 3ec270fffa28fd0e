const pending = new Map();
function request(id) {
  return new Promise((resolve, reject) => pending.set(id, { resolve, reject }));
}
exports.grow = (times) => {
  for (let i = 0; i < times; i++) request(`request ${pending.size}`);
};
