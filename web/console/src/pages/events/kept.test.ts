import assert from "node:assert/strict"
import test from "node:test"
import { keep, type Kept } from "./kept"
import { blank } from "./model"

const event = (name: string, title = "", data = "{}"): Kept => ({ title, draft: { ...blank, name, data } })
const names = (list: Kept[]) => list.map((k) => k.title + ":" + k.draft.name)

test("named ones stay, the same is there once, and there is a bound", () => {
  let list: Kept[] = []
  for (const k of [event("a"), event("b", "Order"), event("a"), event("c", "Order"), event("d")]) list = keep(list, k)
  assert.deepEqual(names(list), ["Order:c", ":d", ":a"])
  for (let i = 0; i < 50; i++) list = keep(list, event(`n${i}`))
  assert.equal(list.length, 20)
  assert.equal(list[0]!.title, "Order")
  assert.equal(list[1]!.draft.name, "n49")
  for (let i = 0; i < 9; i++) list = keep(list, event(`l${i}`, "", "x".repeat(20_000)))
  assert.ok(JSON.stringify(list).length <= 65_536)
  assert.equal(keep(list, event("huge", "", "x".repeat(40_000))), list)
})
