class Session {
  constructor() {
    this.turns = [];
  }
}
const session = new Session();
exports.grow = (times) => {
  for (let i = 0; i < times; i++) session.turns.push({ i, text: 'x'.repeat(100) + i });
};
