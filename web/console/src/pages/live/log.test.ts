import assert from "node:assert/strict"
import test from "node:test"
import { contains, type Entry, Frequency, Log, maxBytes, maxEntries } from "./log"

const event = (data: string) => ({ type: "api_message" as const, channel: "news", event: "created", data })

test("the newest entries are kept", () => {
  const log = new Log()
  for (let i = 0; i < maxEntries + 250; i++) {
    log.add(`s.${i}`, event(String(i)), 1)
    if (i % 100 === 0) log.trim()
  }
  log.trim()
  assert.equal(log.entries.length, maxEntries)
  assert.equal(log.entries.at(-1)!.id, `s.${maxEntries + 249}`)
  assert.deepEqual([log.added, log.gone], [maxEntries + 250, 250])
})

test("large entries take the room of many", () => {
  const log = new Log()
  for (let i = 0; i < 1000; i++) {
    log.add(String(i), event(""), 64 << 10)
    log.trim()
    assert.ok(log.entries.reduce((sum, e) => sum + e.cost, 0) <= maxBytes)
  }
  assert.equal(log.entries.at(-1)!.id, "999")
  log.clear()
  for (let i = 0; i < 100; i++) log.add(String(i), event(""), 10)
  log.trim()
  assert.equal(log.entries.length, 100)
})

test("one entry stays, however large", () => {
  const log = new Log()
  log.add("a", event(""), maxBytes)
  log.add("b", event(""), maxBytes)
  log.trim()
  assert.deepEqual(log.entries.map((e) => e.id), ["b"])
})

test("a text is found wherever it stands, and gaps are in any case", () => {
  const entry = (row: Entry["row"]): Entry => ({ id: "", number: 0, row, cost: 0 })
  assert.ok(contains(entry(event('{"Name":"Ann"}')), '"ann"'))
  assert.ok(contains(entry(event("")), "NEWS"))
  assert.ok(!contains(entry(event("x")), "ann"))
  assert.ok(contains(entry({ type: "connection", client: { origin: "shop.example" } }), "shop.example"))
  assert.ok(contains(entry({ type: "gap", count: 3, reason: "rate" }), "ann"))
})

test("the most frequent names are those of the last minute", () => {
  const f = new Frequency()
  for (let i = 0; i < 5; i++) f.add("old", 1_000)
  f.add("b", 50_000)
  f.add("a", 50_000)
  f.add("a", 60_500)
  f.add(undefined, 60_500)
  assert.deepEqual(f.top(2, 60_900), [["old", 5], ["a", 2]])
  assert.deepEqual(f.top(5, 61_000), [["a", 2], ["b", 1]])
  assert.deepEqual(f.top(5, 200_000), [])
  for (let i = 0; i < 2_000; i++) f.add(`name-${i}`, 300_000)
  f.add("name-0", 300_000)
  assert.deepEqual(f.top(1, 300_000), [["name-0", 2]])
  assert.equal(f.top(10_000, 300_000).length, 500)
})
