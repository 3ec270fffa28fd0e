'use strict'

function makeMemory () {
  const history = []
  return function remember (turn) {
    history.push(turn)
    return history.length
  }
}

module.exports = { remember: makeMemory() }
