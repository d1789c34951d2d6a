import assert from "node:assert/strict"
import { test } from "node:test"
import { keyOf, lately, titled } from "./causes.ts"

test("what happens now counts more than what happened yesterday", () => {
  const counts = [...Array(21).fill(100), 0, 3, 4]
  assert.equal(lately({ counts }), 7)
  assert.equal(titled("client_event_on_public_channel"), "Client event on public channel")
  assert.equal(keyOf({ from: "client", cause: "origin", detail: "https:/evil" }), "client/origin/https:/evil")
})
