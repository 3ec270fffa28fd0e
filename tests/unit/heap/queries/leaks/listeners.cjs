const { EventEmitter } = require('node:events');
const bus = new EventEmitter();
bus.setMaxListeners(0);
exports.grow = (times) => {
  for (let i = 0; i < times; i++) {
    const payload = { text: 'x'.repeat(100) + i };
    bus.on('message', function onMessage() {
      return payload;
    });
  }
};
