export const registry = new Map();
export function grow(times) {
  for (let i = 0; i < times; i++) registry.set(`${registry.size}`, { i, text: 'x'.repeat(100) + i });
}
