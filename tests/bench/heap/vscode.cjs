// The class summary by @vscode/v8-heap-parser: node vscode.cjs NODE_MODULES FILE
'use strict'
const fs = require('node:fs')
const path = require('node:path')

const [modules, file] = process.argv.slice(2)
const parser = require(path.join(modules, '@vscode/v8-heap-parser'))
const graph = parser.decode_bytes(fs.readFileSync(file))
const rows = graph.get_class_groups(0, 50, false)
  .map((one) => [one.name(), one.children_len, Number(one.self_size), Number(one.retained_size)])
console.log(JSON.stringify(rows))
