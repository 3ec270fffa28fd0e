// The class summary by DevTools' code: node toolkit.mjs NODE_MODULES FILE [PREFIX]
//
// With PREFIX every node's figures are written to PREFIX.self, .retained, .distance and .dominator,
// and the classes to PREFIX.json, with plain objects as one class.
import fs from 'node:fs'
import path from 'node:path'

const [modules, file, prefix] = process.argv.slice(2)
const { parse } = await import(path.join(modules, 'heap-snapshot-toolkit/index.js'))
const snapshot = await parse(fs.createReadStream(file))

if (prefix) {
  snapshot.applyInterfaceDefinitions([])
  const write = (name, array) =>
    fs.writeFileSync(`${prefix}.${name}`, Buffer.from(array.buffer, array.byteOffset, array.byteLength))
  const shallow = new Float64Array(snapshot.nodeCount)
  for (let i = 0; i < shallow.length; i++) {
    shallow[i] = snapshot.nodes.getValue(i * snapshot.nodeFieldCount + snapshot.nodeSelfSizeOffset)
  }
  write('self', shallow)
  write('retained', snapshot.retainedSizes)
  write('distance', snapshot.nodeDistances)
  write('dominator', snapshot.dominatorsTree)
  const classes = snapshot.buildAggregates()
  snapshot.calculateClassesRetainedSize(classes)
  const rows = [...classes.values()].map((one) => [one.name, one.count, one.self, one.maxRet])
  fs.writeFileSync(`${prefix}.json`, JSON.stringify(rows))
} else {
  const classes = Object.values(snapshot.getAggregatesByClassKey(false, 'allObjects'))
  const rows = classes.map((one) => [one.name, one.count, one.self, one.maxRet])
  console.log(JSON.stringify(rows.sort((a, b) => b[3] - a[3]).slice(0, 50)))
}
