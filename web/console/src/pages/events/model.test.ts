import assert from "node:assert/strict"
import test from "node:test"
import { batched, blank, mistakes, notJSON, pretty, sent, sizeOf, targets, tight, userOf } from "./model"

const limits = { event_data: 10, channel_name_length: 8, event_name_length: 8, channels_per_event: 2 }
const draft = (over: object = {}) => ({ ...blank, channels: ["news"], name: "e", data: "{}", ...over })

test("what the service would refuse is said before", () => {
  assert.deepEqual(mistakes(draft(), limits), {})
  for (const [over, field, words] of [
    [{ channels: [] }, "channels", "goes to a channel"],
    [{ channels: ["a b"] }, "channels", "ASCII"],
    [{ channels: ["#x"] }, "channels", "begins with #"],
    [{ channels: ["a23456789"] }, "channels", "at most 8"],
    [{ channels: ["a", "b", "c"] }, "channels", "at most 2"],
    [{ channels: ["private-encrypted-a", "b"] }, "channels", "encrypted"],
    [{ to: "user" }, "user", "Which"],
    [{ name: "" }, "name", "has a name"],
    [{ name: "ééééééééé" }, "name", "at most 8"],
    [{ name: "pusher:x" }, "name", "protocol"],
    [{ data: "12345678901" }, "data", "11 bytes"],
    [{ data: "äöüäöü" }, "data", "12 bytes"],
    [{ except: "1234" }, "except", "dot"],
  ] as const) {
    const found = mistakes(draft(over), limits) as Record<string, string>
    assert.deepEqual(Object.keys(found), [field])
    assert.match(found[field]!, new RegExp(words))
  }
  assert.deepEqual(mistakes(draft({ name: "éééééééé", channels: ["a", "a", "b"] }), limits), {})
  assert.deepEqual(mistakes(draft({ data: "x".repeat(99), channels: ["a".repeat(99)] }), {}), {}) // 0 and nothing are no limit
})

test("a user has a channel", () => {
  assert.deepEqual(targets(draft({ to: "user", user: "7 a" })), ["#server-to-user-7 a"])
  assert.equal(userOf("#server-to-user-7\n8"), "7\n8")
  assert.equal(userOf("#server-to-user-"), undefined)
})

test("JSON is sent as it was typed, without its lines", () => {
  const text = '{\n  "a b": [1.10, 12345678901234567890, "x\\" \\n y"],\n  "c": { }\n}'
  assert.equal(tight(text), '{"a b":[1.10,12345678901234567890,"x\\" \\n y"],"c":{}}')
  assert.equal(tight("two words"), "two words")
  assert.equal(pretty('{"a":1}'), '{\n  "a": 1\n}')
  assert.equal(notJSON("{}"), undefined)
  assert.ok(notJSON("{a}"))
  assert.equal(sizeOf("é€"), 5)
})

test("several channels are several events of a batch", () => {
  assert.deepEqual(sent(draft({ channels: ["a", "b"], except: "1.2" })), { name: "e", channels: ["a", "b"], data: "{}", socket_id: "1.2" })
  assert.deepEqual(batched(draft({ channels: ["a", "b"] })), [{ name: "e", channel: "a", data: "{}" }, { name: "e", channel: "b", data: "{}" }])
})
