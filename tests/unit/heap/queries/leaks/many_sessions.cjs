class Session {
  constructor() {
    this.turns = [];
  }
}
const sessions = new Map();
for (let i = 0; i < 200; i++) sessions.set(`user ${i}`, new Session());
exports.grow = (times) => {
  for (const session of sessions.values()) {
    for (let i = 0; i < times / 100; i++) session.turns.push({ i, text: 'x'.repeat(100) + i });
  }
};
