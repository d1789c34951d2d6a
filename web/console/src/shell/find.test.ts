import assert from "node:assert/strict"
import test from "node:test"
import { find } from "./find"
import type { App } from "./named"
import type { Page } from "./page"

const apps = [
  { id: "1", name: "Shop", keys: [{ key: "abc" }] },
  { id: "2", name: "", keys: [{ key: "def" }] },
] as App[]
const page = (path: string, title: string, of: "service" | "app"): Page => ({ path, title, view: () => null, menu: { of, key: "k" } })
const pages = [page("audit", "Audit log", "service"), page("apps/:app/live", "Live", "app"), { path: "x", title: "Not in the menu", view: () => null }]

const names = (text: string, inside = "1") => find(text, apps, pages, inside).map((f) => `${f.what} ${f.name} ${f.to}`)

test("apps are found by name, id and key", () => {
  assert.equal(names("sho")[0], "App Shop apps/1")
  assert.equal(names("def")[0], "App 2 apps/2")
  assert.equal(names("2")[0], "App 2 apps/2")
})

test("an id leads to what has such ids", () => {
  assert.equal(names("12.34")[0], "Connection 12.34 apps/1/connections/12.34")
  assert.equal(names("ABC-7")[0], "Event ABC-7 apps/1/explain?event=ABC-7")
})

test("anything may be a channel or a user of the app that is looked at", () => {
  assert.deepEqual(names("room #1").slice(-3), ["Channel room #1 apps/1/channels/room%20%231", "Channels room #1… apps/1/channels?prefix=room+%231", "User room #1 apps/1/users/room%20%231"])
  assert.deepEqual(names("room", ""), [])
  assert.deepEqual(names("..").filter((n) => n.includes("/..")), [])
})

test("pages are found by their titles, those of an app within one", () => {
  assert.equal(names("liv")[0], "Page Live apps/1/live")
  assert.deepEqual(names("liv", ""), [])
  assert.equal(names("aud", "")[0], "Page Audit log audit")
})
