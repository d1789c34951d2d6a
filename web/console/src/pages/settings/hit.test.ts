import assert from "node:assert/strict"
import test from "node:test"
import { hit } from "./hit"

const now = { connections: 812, last_minute: { backend_events: 600 } }

test("a limit below what is used now says what it would hit", () => {
  assert.match(hit("limits.connections", "500", now)!, /812 connections now/)
  assert.match(hit("limits.backend_events_per_second", 5, now)!, /10 events a second/)
})

test("a limit that hits nothing says nothing", () => {
  for (const value of ["812", 0, "", null, "x"]) assert.equal(hit("limits.connections", value, now), undefined)
  assert.equal(hit("limits.backend_events_per_second", "10", now), undefined)
  assert.equal(hit("limits.watchlist", "1", now), undefined)
  assert.equal(hit("limits.connections", "1", undefined), undefined)
})
