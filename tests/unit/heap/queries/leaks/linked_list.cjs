const queue = { first: null, last: null };
exports.grow = (times) => {
  for (let i = 0; i < times; i++) {
    const entry = { next: null, text: 'x'.repeat(100) + i };
    if (queue.last) queue.last.next = entry;
    else queue.first = entry;
    queue.last = entry;
  }
};
