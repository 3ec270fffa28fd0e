exports.grow = (times) => {
  for (let i = 0; i < times; i++) {
    const payload = { text: 'x'.repeat(100) + i };
    setTimeout(function expire() {
      return payload;
    }, 3_600_000);
  }
};
