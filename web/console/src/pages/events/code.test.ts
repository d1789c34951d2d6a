import assert from "node:assert/strict"
import test from "node:test"
import { body, examples } from "./code"

const service = { base: "https:" + "//realtime.example/ws", app: "1", key: "k", admin: "http:" + "//127.0.0.1:6002/" }
const of = (event: object) => {
  const list = examples(service, { name: "e", channels: ["news"], data: "{}", ...event })
  return Object.fromEntries(list.map((x) => [x.title, x.code])) as Record<string, string>
}

test("what was typed ends no literal of any language", () => {
  const nasty = `"'\\$x#{y}\n\u202e\u{1f600}\u{d800}`
  const code = of({ data: nasty })
  assert.ok(code.Node!.includes(`"\\"'\\\\$x#{y}\\n\\u202e\\ud83d\\ude00\\ud800"`), code.Node)
  assert.ok(code.PHP!.includes(`"\\"'\\\\\\$x#{y}\\n\\u{202e}\\u{1f600}\\u{fffd}"`), code.PHP)
  assert.ok(code.Ruby!.includes(`"\\"'\\\\$x\\#{y}\\n\\u{202e}\\u{1f600}\\u{fffd}"`), code.Ruby)
  assert.ok(code.Go!.includes(`"\\"'\\\\$x#{y}\\n\\U0000202e\\U0001f600\\U0000fffd"`), code.Go)
  for (const [title, text] of Object.entries(code)) assert.doesNotMatch(text, /\u202e/, title)
})

test("the address is there in each of its parts", () => {
  const code = of({ channels: ["a", "b"], socket_id: "1.2" })
  assert.match(code.curl!, /'POST\\n%s\\n%s' \/ws\/apps\/1\/events "\$query"/)
  assert.match(code.curl!, /https:\/\/realtime.example\/ws\/apps\/1\/events"\?\$query/)
  assert.match(code["Command line"]!, /BELFRY_URL=https:\/\/k:SECRET@realtime.example\/ws\/apps\/1\nbelfry trigger --socket-id 1.2 -- a e '{}'\n.* -- b /)
  assert.match(code["Admin API"]!, /http:\/\/127.0.0.1:6002\/api\/v1\/apps\/1\/events/)
  assert.match(code.Node!, /host: "realtime.example", port: "443", useTLS: true/)
  assert.match(code.Go!, /Host: "realtime.example", Secure: true/)
  assert.deepEqual(JSON.parse(body({ name: "e", channels: ["a"], data: "{}", socket_id: "1.2" })), { name: "e", channels: ["a"], data: "{}", socket_id: "1.2" })
})
