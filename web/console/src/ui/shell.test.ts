import assert from "node:assert/strict"
import { test } from "node:test"
import { quoted } from "./shell.ts"

test("a command that is copied means what is shown", () => {
  assert.equal(quoted("private-orders.7"), "private-orders.7")
  assert.equal(quoted("it's; rm -rf $HOME `id`"), `'it'\\''s; rm -rf $HOME \`id\`'`)
  assert.equal(quoted(""), "''")
  assert.equal(quoted("a\u202eb'\n"), "$'a\\u202eb\\'\\u000a'")
  assert.equal(quoted("-x"), "-x")
})
