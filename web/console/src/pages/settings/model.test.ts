import assert from "node:assert/strict"
import test from "node:test"
import type { App } from "../../api/schema"
import { changed, conflicts, groups, isDefault, patch, settings } from "./model"

const app = (over: object = {}): App =>
  ({
    id: "1", name: "shop", disabled: false, tls_only: false, allowed_origins: ["*"], activity_timeout: "2m0s",
    limits: { connections: 0, event_data: 10240, cache_ttl: "30m0s" }, webhooks: [], keys: [], source: "store", ...over,
  }) as App

test("every setting has one place", () => {
  const placed = groups().flatMap((g) => g.settings.map((s) => s.name))
  assert.deepEqual([...placed].sort(), settings.map((s) => s.name).sort())
})

test("only changes are sent", () => {
  const draft = { name: "shop", "limits.connections": "500", "limits.event_data": "20KiB", tls_only: true, "limits.cache_ttl": null, allowed_origins: null }
  assert.deepEqual(patch(changed(app(), draft)), { limits: { connections: 500, event_data: "20KiB" }, tls_only: true })
  assert.deepEqual(patch({ "limits.connections": null }), { limits: { connections: null } })
  assert.deepEqual(patch({ "limits.connections": "many" }), { limits: { connections: "many" } })
})

test("a default can be written in more ways than one", () => {
  const named = (name: string) => settings.find((s) => s.name === name)!
  assert.ok(isDefault(named("limits.event_data"), "10240"))
  assert.ok(isDefault(named("activity_timeout"), "2m0s"))
  assert.ok(isDefault(named("activity_timeout"), "120s"))
  assert.ok(!isDefault(named("activity_timeout"), "121s"))
  assert.ok(isDefault(named("allowed_origins"), ["*"]))
})

test("what two people changed is told apart from what one did", () => {
  const { both, theirs } = conflicts(app(), app({ name: "store", tls_only: true, limits: { connections: 7 } }), { name: "kiosk", "limits.connections": "7" })
  assert.deepEqual(both.map((c) => [c.setting.name, c.mine, c.theirs]), [["name", "kiosk", "store"]])
  assert.ok(theirs.some((c) => c.setting.name === "tls_only"))
  assert.ok(theirs.some((c) => c.setting.name === "limits.connections"))
})
