// An agent with a planted leak: node agent.cjs [CACHE_MB] [LEAK_BYTES_PER_S]
//
// Beside the leak, in memory.cjs, lies an innocent cache that is as full as it will ever be, and
// whose entries are replaced all the time.
'use strict'
const http = require('node:http')
const { remember } = require('./memory.cjs')

const [cacheMb, leak] = [Number(process.argv[2] ?? 200), Number(process.argv[3] ?? 1 << 20)]
const ENTRY = 4096
const TURN = 10240
const entries = cacheMb * 256
const cache = new Map()
let made = 0

const text = (bytes, seed) => Buffer.alloc(bytes, `${seed} ${Math.random()} `).toString('latin1')

// the oldest entry goes when a new one comes
function read (path) {
  cache.set(path, { path, at: Date.now(), content: text(ENTRY - 200, path) })
  if (cache.size > entries) cache.delete(cache.keys().next().value)
}

while (made < entries) read(`/repo/src/file${made++}.ts`)
setInterval(() => { for (let i = 0; i < 200; i++) read(`/repo/src/file${made++}.ts`) }, 100)

let turn = 0
let owed = 0
setInterval(() => {
  for (owed += leak / 10; owed >= TURN; owed -= TURN) {
    remember({ role: 'assistant', turn: turn++, content: text(TURN - 200, turn) })
  }
}, 100)

// it serves requests too, so that a hunt can wait for some
http.createServer((request, response) => response.end('ok')).listen(0, '127.0.0.1', function () {
  console.log(this.address().port)
})
