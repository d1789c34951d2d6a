import assert from "node:assert/strict"
import { test } from "node:test"
import { asCurl, quoted } from "./shell.ts"

test("a command that is copied means what is shown", () => {
  assert.equal(quoted("private-orders.7"), "private-orders.7")
  assert.equal(quoted("it's; rm -rf $HOME `id`"), `'it'\\''s; rm -rf $HOME \`id\`'`)
  assert.equal(quoted(""), "''")
  assert.equal(quoted("a\u202eb'\n"), "$'a\\u202eb\\'\\u000a'")
  assert.equal(quoted("-x"), "-x")
})

test("a request can be sent from a shell as it was", () => {
  const headers = [
    { name: "X-Pusher-Key", value: "k" },
    { name: "X-Token", value: "", hidden: true },
  ]
  const want = ["curl -i 'a.example/b?c=…'", "-H 'X-Pusher-Key: k'", "-H 'X-Token: HIDDEN'", `--data-raw '{"a":"it'\\''s $(me)"}'`]
  assert.equal(asCurl("a.example/b?c=…", headers, `{"a":"it's $(me)"}`), want.join(" \\\n  "))
})
