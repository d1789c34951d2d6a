import assert from "node:assert/strict"
import test from "node:test"
import { asText, byName, interruption, said, summary, types } from "./words"

test("types stand in the address, and all of them need no words", () => {
  for (const chosen of [types, [], [types[3]!, types[7]!]]) assert.deepEqual(said(asText(chosen)), chosen)
  assert.equal(asText(types), "")
  assert.deepEqual(said("nonsense,error"), ["error"])
})

test("what is not shown is said", () => {
  assert.equal(interruption({ type: "gap", reason: "rate", count: 1204 }), `${(1204).toLocaleString()} rows are not shown, to keep the rate that was chosen.`)
  assert.equal(interruption({ type: "gap", reason: "busy_node", count: 1, node: "b" }), "1 row is not shown: too much happened at once (node b).")
  assert.match(interruption({ type: "gap", reason: "lost", count: null }), /^An unknown number of rows is lost/)
  assert.equal(interruption({ type: "nodes", nodes: [{ name: "a", answered: true }, { name: "b", answered: false, detail: "has said nothing for 2s" }] }), "Rows of b are missing: it has said nothing for 2s.")
  assert.equal(interruption({ type: "nodes", nodes: [{ name: "a", answered: true }, { name: "b", answered: true }] }), "Rows of a, b.")
})

test("a row says in a line what it is about", () => {
  assert.equal(summary({ type: "api_message", channel: "news", here: 2, elsewhere: 1, data: "hello" }), "to 2 here, 1 elsewhere · hello")
  assert.equal(summary({ type: "disconnection", code: 1001, closed_by: "client", lasted: 61, channel_count: 1, detail: "left" }), "1001 · left · closed by the client · after 1 min 1 s · 1 channel")
  assert.equal(summary({ type: "refused_connection", code: 4001 }), "4001 · no app has that key, or it was deleted")
})

test("a node that was started anew is one node", () => {
  const [a, dead, alive] = [{ name: "a", answered: true }, { name: "b", answered: false }, { name: "b", answered: true }]
  assert.deepEqual(byName([a, dead, alive]), [a, alive])
  assert.deepEqual(byName([a, alive, dead]), [a, alive])
  assert.deepEqual(byName([a, dead]), [a, dead])
})
