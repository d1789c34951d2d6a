import assert from "node:assert/strict"
import test from "node:test"
import { cell, pieces, visible } from "./visible"

test("what can not be seen is shown as an escape", () => {
  const cases: Record<string, string> = {
    plain: "plain",
    "a\u202eb": "a\\u{202e}b",
    "a\u0000b\n\t": "a\\u{0}b\\n\\t",
    "zero\u200bwidth\ufeff": "zero\\u{200b}width\\u{feff}",
    "\u2066iso\u2069": "\\u{2066}iso\\u{2069}",
    "\ud800lone": "\\u{d800}lone",
    "tag\u{e0041}": "tag\\u{e0041}",
    "Grüße 日本 🎉": "Grüße 日本 🎉",
    "<img src=x onerror=alert(1)>": "<img src=x onerror=alert(1)>",
  }
  for (const [text, want] of Object.entries(cases)) assert.equal(visible(text), want)
})

test("long texts are cut between characters", () => {
  const { pieces: list, more } = pieces("🎉".repeat(300), 200)
  assert.equal(list[0]!.text, "🎉".repeat(200))
  assert.equal(more, 200)
  assert.equal(visible("x".repeat(201)), `${"x".repeat(200)}…`)
})

test("lines stay where they are wanted", () => {
  assert.deepEqual(pieces("a\n\u202e", 200, true).pieces, [
    { text: "a\n", escape: false },
    { text: "\\u{202e}", escape: true },
  ])
})

test("a cell can not become a formula", () => {
  assert.equal(cell("=1+1"), "'=1+1")
  assert.equal(cell("@x"), "'@x")
  assert.equal(cell('a"b,c'), '"a""b,c"')
  assert.equal(cell("12"), "12")
})
