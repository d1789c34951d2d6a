import assert from "node:assert/strict"
import { test } from "node:test"
import { asked, local, moment } from "./verdicts.ts"

const of = (text: string) => asked(new URLSearchParams(text))

test("an address without an event asks nothing yet", () => {
  assert.equal(of(""), undefined)
  assert.equal(of("socket=1.2&name=e"), undefined)
})

test("an address asks what the API takes", () => {
  assert.deepEqual(of("channel=news&name=e&user=7"), { channel: "news", name: "e", user: "7" })
  assert.deepEqual(of("event=A-1&channel=news&name=e&from=x&to=y&socket=1.2&user=7"), { event: "A-1", socket: "1.2" })
})

test("a moment survives its field", () => {
  assert.equal(moment(local("2026-01-31T15:00:07Z")), "2026-01-31T15:00:07.000Z")
  assert.equal(local("soon"), "")
  assert.equal(moment(""), "")
})
