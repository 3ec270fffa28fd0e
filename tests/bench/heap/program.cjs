// A program whose heap is like an agent's, and its snapshot: node program.cjs KIND COUNT FILE
//
// KIND: conversation, classes, closures, buffers, caches, or mixed (all of them).
'use strict'
const { writeHeapSnapshot } = require('node:v8')
const { EventEmitter } = require('node:events')

const [kind, count, file] = [process.argv[2], Number(process.argv[3]), process.argv[4]]

// the same numbers in every run
let state = 42
const random = (below) => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0
  return state % below
}
const words = (many) => Array.from({ length: many }, () => `w${random(5000)}`).join(' ')

class Message {
  constructor (role, index) {
    this.role = role
    this.id = `msg_${index}`
    this.createdAt = new Date(1700000000000 + index)
    this.content = [{ type: 'text', text: words(2 + random(6)) }]
    this.usage = { input_tokens: random(9000), output_tokens: random(900) + 0.5 }
  }
}

class ToolResult extends Message {
  #raw
  constructor (index) {
    super('tool', index)
    this.#raw = `line ${index}\n`.repeat(3)
    this.path = `/repo/src/file${random(400)}.ts`
    this.matches = [random(80), random(80), random(80)]
  }

  get raw () { return this.#raw }
}

// two constructors of one name, at two places
const Nodes = [class Node { constructor (next) { this.next = next } },
  class Node { constructor (next) { this.next = next; this.weight = random(9) } }]

function conversation (many) {
  const turns = []
  for (let i = 0; i < many; i++) {
    turns.push(i % 3 ? new Message(i % 2 ? 'user' : 'assistant', i) : new ToolResult(i))
  }
  return { id: 'conversation', turns, byId: new Map(turns.map((turn) => [turn.id, turn])) }
}

function classes (many) {
  let head = null
  const all = new Set()
  for (let i = 0; i < many; i++) {
    head = new Nodes[i % 2](head)
    if (i % 5 === 0) all.add(head)
  }
  return { head, all, emitter: new EventEmitter(), symbol: Symbol('classes') }
}

function closures (many) {
  const handlers = []
  for (let i = 0; i < many; i++) {
    const captured = { index: i, label: `handler ${i}` }
    handlers.push(i % 2 ? () => captured.index : function named () { return captured.label })
  }
  return handlers
}

function buffers (many) {
  const held = []
  for (let i = 0; i < many; i++) {
    held.push(i % 3 ? Buffer.alloc(64 + random(512), i & 255) : new Float64Array(8 + random(32)))
    if (i % 7 === 0) held.push(new DataView(new ArrayBuffer(48)))
  }
  return held
}

function caches (many) {
  const weak = new WeakMap()
  const keys = []
  const strings = []
  for (let i = 0; i < many; i++) {
    const key = i % 2 ? { key: i } : [i]
    keys.push(key)
    if (i % 4 === 0) weak.set(key, { cached: `value ${i}`, owner: i % 8 ? null : weak })
    strings.push(`prefix ${i} ${words(3)}`, `prefix ${i} and a tail that is longer`.slice(7))
  }
  return { weak, keys, strings, pattern: /w\d+/g, big: 2n ** 200n, ref: new WeakRef(keys[0] ?? {}) }
}

const parts = { conversation, classes, closures, buffers, caches }
globalThis.held = kind === 'mixed'
  ? Object.fromEntries(Object.entries(parts).map(([name, make]) => [name, make(count)]))
  : parts[kind](count)
writeHeapSnapshot(file)
