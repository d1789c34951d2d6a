import assert from "node:assert/strict"
import test from "node:test"
import { counts, moments, nearest, path } from "./axis"

test("an axis of counts has round steps and ends at or above the most", () => {
  assert.deepEqual(counts(0), [0, 1, 2, 3, 4, 5])
  assert.deepEqual(counts(7), [0, 2, 4, 6, 8])
  assert.deepEqual(counts(10_000), [0, 2_000, 4_000, 6_000, 8_000, 10_000])
  for (let most = 1; most < 1e9; most = Math.ceil(most * 1.3)) {
    const marks = counts(most)
    assert.ok(marks.length <= 6 && marks.at(-1)! >= most, `${most}: ${marks}`)
  }
})

test("an axis of time has round times of the day, and no more than there is room for", () => {
  const start = new Date(2026, 5, 10, 10, 7, 30).getTime() / 1000
  const at = (list: number[]) => list.map((t) => new Date(t * 1000).toTimeString().slice(0, 8))
  assert.deepEqual(at(moments(start, start + 3600, 7)), ["10:10:00", "10:20:00", "10:30:00", "10:40:00", "10:50:00", "11:00:00"])
  assert.deepEqual(at(moments(start, start + 86_400, 5)), ["12:00:00", "18:00:00", "00:00:00", "06:00:00"])
  for (let span = 60; span < 1e8; span *= 3) assert.ok(moments(start, start + span, 6).length <= 7, `${span}`)
})

test("a line has gaps where nothing is known, and short lines between them", () => {
  assert.equal(path([0, 1, 2, 3, 4], [1, 2, null, 3, null], (t, v) => [t, v]), "M0 1L1 2M1 3h4")
  assert.equal(path([0, 1], [null, null], (t, v) => [t, v]), "")
})

test("the nearest time is found", () => {
  assert.deepEqual([-5, 4, 6, 11, 99].map((t) => nearest([0, 10, 20], t)), [0, 0, 1, 1, 2])
  assert.equal(nearest([], 3), -1)
})
