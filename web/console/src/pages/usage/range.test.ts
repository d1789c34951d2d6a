import assert from "node:assert/strict"
import test from "node:test"
import { gaps, range, whole, window } from "./range"

const now = new Date("2026-11-29T12:34:56.789Z")

test("a range ends now and begins with an hour", () => {
  assert.deepEqual(range("24h", "", "", now), { from: new Date("2026-11-28T13:00:00Z"), to: new Date("2026-11-29T12:34:56Z") })
  assert.equal(range("31d", "", "", now).from.toISOString(), "2026-10-29T13:00:00.000Z")
  assert.equal(range("nonsense", "", "", now).from.toISOString(), "2026-11-28T13:00:00.000Z")
})

test("two moments are a range, unless they are none", () => {
  const asked = range("", "2026-11-01T00:00:00Z", "2026-11-02T00:00:00Z", now)
  assert.equal(asked.to.toISOString(), "2026-11-02T00:00:00.000Z")
  assert.equal(range("", "x", "y", now).to.toISOString(), "2026-11-29T12:34:56.000Z")
  assert.equal(range("", "2026-11-03T00:00:00Z", "2026-11-02T00:00:00Z", now).to.toISOString(), "2026-11-29T12:34:56.000Z")
})

test("hours without use are there", () => {
  const hours = whole([{ hour: "2026-11-29T11:00:00Z", n: 5 }], { from: new Date("2026-11-29T10:00:00Z"), to: now }, { n: 0 })
  assert.deepEqual(hours.map((h) => h.n), [0, 5, 0])
})

test("minutes that nobody knows are gaps", () => {
  const slot = { at: "2026-11-29T12:33:00Z", peak_connections: 1, backend_events: 2, client_events: 3, deliveries: 4, requests: 5 }
  const rows = window([{ ...slot, at: "2026-11-29T11:00:00Z" }, slot], 1, 3, now)
  assert.deepEqual(rows.map((r) => [r.at, r.deliveries]), [["2026-11-29T12:32:00.000Z", null], ["2026-11-29T12:33:00Z", 4], ["2026-11-29T12:34:00.000Z", null]])
  assert.equal(window([], 5, 288, now)[0]!.at, "2026-11-28T12:35:00.000Z")
})

test("what is not known is told apart: before all, and between", () => {
  assert.deepEqual(gaps([null, null, 1, null, 2, 3]), { before: 2, later: 1 })
  assert.deepEqual(gaps([1, 2, null]), { before: 0, later: 0 })
  assert.deepEqual(gaps([null, null]), { before: 2, later: 0 })
  assert.deepEqual(gaps([]), { before: 0, later: 0 })
})
