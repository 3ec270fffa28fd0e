const messages = [];
export function grow(times) {
  for (let i = 0; i < times; i++) messages.push({ i, text: 'x'.repeat(100) + i });
}
