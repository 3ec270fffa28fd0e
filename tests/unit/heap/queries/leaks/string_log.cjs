let transcript = '';
exports.grow = (times) => {
  for (let i = 0; i < times; i++) transcript += `line ${i} ${Math.random()}\n`;
};
exports.size = () => transcript.length;
