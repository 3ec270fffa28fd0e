// Objects on V8's heap, until there is no room for one more.
const held = [];
for (;;) {
  const page = [];
  for (let n = 0; n < 1000; n += 1) page.push({ n, text: `object ${n}` });
  held.push(page);
}
