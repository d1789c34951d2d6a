import assert from "node:assert/strict"
import test from "node:test"
import { Messages } from "./messages"

const text = 'retry: 1000\n\nid: a.1\ndata: {"type":"gap"}\n\n: still here\n\nid: a.2\ndata: x: y\n\n'
const want = [
  { id: "a.1", data: '{"type":"gap"}' },
  { id: "a.2", data: "x: y" },
]

test("messages are the same however they are cut", () => {
  assert.deepEqual(new Messages().take(text), want)
  for (let at = 0; at <= text.length; at++) {
    const messages = new Messages()
    assert.deepEqual([...messages.take(text.slice(0, at)), ...messages.take(text.slice(at))], want, `cut at ${at}`)
  }
  const messages = new Messages()
  assert.deepEqual([...text].flatMap((letter) => messages.take(letter)), want)
})

test("what is not complete is no message", () => {
  assert.deepEqual(new Messages().take("id: 1\ndata: x\n"), [])
})
