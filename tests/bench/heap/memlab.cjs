// The class summary by @memlab/heap-analysis: node memlab.cjs NODE_MODULES FILE
'use strict'
const path = require('node:path')

const [modules, file] = process.argv.slice(2)
const { getFullHeapFromFile } = require(path.join(modules, '@memlab/heap-analysis'))

async function main () {
  const heap = await getFullHeapFromFile(file)
  const classes = new Map()
  heap.nodes.forEach((node) => {
    const name = node.type === 'object' || node.type === 'native' ? node.name : `(${node.type})`
    const sums = classes.get(name) ?? [name, 0, 0, 0]
    sums[1] += 1
    sums[2] += node.self_size
    sums[3] += node.retainedSize
    classes.set(name, sums)
  })
  const rows = [...classes.values()].sort((a, b) => b[3] - a[3]).slice(0, 50)
  // on a line of its own, behind its progress
  console.log('\n' + JSON.stringify(rows))
}

main()
