import assert from "node:assert/strict"
import { test } from "node:test"
import { perMinute } from "./rate.ts"

test("two looks at a channel tell how much it has to do", () => {
  const first = perMinute(new Map(), { at: "2026-01-31T15:00:00Z", channels: [{ name: "news", order: 100 }, { name: "gone", order: 1 }] })
  assert.equal(first.rates.size, 0)
  const second = perMinute(first.before, { at: "2026-01-31T15:00:30Z", channels: [{ name: "news", order: 160 }, { name: "new", order: 7 }] })
  assert.deepEqual([...second.rates], [["news", 120]])
})

test("a number that is smaller tells nothing", () => {
  const first = perMinute(new Map(), { at: "2026-01-31T15:00:00Z", channels: [{ name: "news", order: 100 }] })
  assert.equal(perMinute(first.before, { at: "2026-01-31T15:00:30Z", channels: [{ name: "news", order: 3 }] }).rates.size, 0)
  assert.equal(perMinute(first.before, { at: "2026-01-31T15:00:00Z", channels: [{ name: "news", order: 300 }] }).rates.size, 0)
})
