// What the settings of an app are, and which of them were changed here.

import type { App, AppChange } from "../../api/schema"
import { appSettings, type Setting } from "../../api/schema"

export type Value = string | boolean | string[]

// Draft has what was changed and not saved. Null stands for the default.
export type Draft = Record<string, Value | null>

// elsewhere are the settings that have pages of their own, or can not change.
const elsewhere = ["id", "disabled"]

// Those of push notifications are mostly keys and secrets, and are set with belfry apps update.
export const settings: Setting[] = appSettings.filter((s) => !elsewhere.includes(s.name) && !s.name.startsWith("push."))

// hosted are the names that the hosted service has on its page.
const hosted: Record<string, string> = {
  client_events: "Enable client events",
  subscription_count: "Enable subscription counting",
  authorized_connections: "Enable authorized connections",
  watchlist_events: "Enable watchlist events",
  tls_only: "Force TLS",
}

// label is what a person calls a setting.
export function label(s: Setting): string {
  const name = hosted[s.name] ?? s.name.replace(/^\w+\./, "").replaceAll("_", " ")
  return name.charAt(0).toUpperCase() + name.slice(1)
}

export interface Group {
  title: string
  settings: Setting[]
}

// groups are the settings as the page has them. One that is new finds its place
// by its kind.
export function groups(): Group[] {
  const of = (title: string, is: (s: Setting) => boolean) => ({ title, settings: settings.filter(is) })
  return [
    of("App", (s) => s.name === "name"),
    of("Switches", (s) => s.kind === "switch" && !s.name.includes(".")),
    of("Connections", (s) => s.kind !== "switch" && s.name !== "name" && !s.name.includes(".")),
    of("History", (s) => s.name.startsWith("history.")),
    of("Limits", (s) => s.name.startsWith("limits.")),
  ].filter((g) => g.settings.length > 0)
}

// read returns the value of a setting of an app, as a form has it.
export function read(app: App, name: string): Value {
  let value: unknown = app
  for (const part of name.split(".")) value = (value as Record<string, unknown> | undefined)?.[part]
  if (Array.isArray(value)) return value.map(String)
  if (typeof value === "boolean") return value
  return value === undefined || value === null ? "" : String(value)
}

// initial is the default of a setting, as a form has it.
export function initial(s: Setting): Value {
  switch (s.kind) {
    case "switch":
      return s.initial === "true"
    case "list":
      return JSON.parse(s.initial) as string[]
  }
  return s.initial === '""' ? "" : s.initial
}

export function same(a: Value, b: Value): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}

// isDefault reports whether a value is that of the setting. Sizes and durations
// can be written in more ways than one: 10KiB is 10240.
export function isDefault(s: Setting, value: Value): boolean {
  const d = initial(s)
  if (same(value, d)) return true
  if (typeof value !== "string" || typeof d !== "string") return false
  if (s.kind === "size") return bytes(value) === bytes(d)
  if (s.kind === "duration") return seconds(value) === seconds(d)
  return false
}

function bytes(text: string): number | undefined {
  const m = /^(\d+)\s*(B|KiB|MiB|GiB)?$/i.exec(text.trim())
  const units: Record<string, number> = { b: 1, kib: 1024, mib: 1024 ** 2, gib: 1024 ** 3 }
  return m ? Number(m[1]) * units[(m[2] ?? "B").toLowerCase()]! : undefined
}

function seconds(text: string): number | undefined {
  const units: Record<string, number> = { h: 3600, m: 60, s: 1, ms: 1e-3, us: 1e-6, "µs": 1e-6, ns: 1e-9 }
  let sum = 0
  const rest = text.trim().replace(/([0-9.]+)(ms|us|µs|ns|h|m|s)/g, (_, n: string, unit: string) => {
    sum += Number(n) * units[unit]!
    return ""
  })
  return rest === "" ? sum : undefined
}

// patch is what to send: what was changed, and nothing else.
export function patch(draft: Draft): AppChange {
  const change: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(draft)) {
    const [block, inside] = name.split(".") as [string, string?]
    const setting = settings.find((s) => s.name === name)
    const sent = value === null ? null : written(setting, value)
    if (inside === undefined) change[block] = sent
    else change[block] = { ...(change[block] as object | undefined), [inside]: sent }
  }
  return change as AppChange
}

// written is a value as the API takes it. What is no number goes as it is, and
// the API says what is wrong with it.
function written(s: Setting | undefined, value: Value): unknown {
  if (typeof value !== "string") return value
  const numeric = s?.kind === "number" || s?.kind === "size"
  return numeric && /^\d{1,15}$/.test(value.trim()) ? Number(value) : value.trim()
}

// changed takes out of a draft what is no change of the app.
export function changed(app: App, draft: Draft): Draft {
  return Object.fromEntries(
    Object.entries(draft).filter(([name, value]) => {
      const s = settings.find((s) => s.name === name)!
      return value === null ? !isDefault(s, read(app, name)) : !same(value, read(app, name))
    }),
  )
}

// A Conflict is a setting that was changed here and by somebody else.
export interface Conflict {
  setting: Setting
  before: Value
  mine: Value
  theirs: Value
}

// conflicts compares what was changed here with what the app has become: what
// both changed, and what only others did.
export function conflicts(before: App, now: App, draft: Draft): { both: Conflict[]; theirs: Conflict[] } {
  const both: Conflict[] = []
  const theirs: Conflict[] = []
  for (const setting of settings) {
    const was = read(before, setting.name)
    const is = read(now, setting.name)
    if (same(was, is)) continue
    const mine = draft[setting.name]
    const conflict = { setting, before: was, mine: mine ?? (mine === null ? initial(setting) : was), theirs: is }
    if (mine === undefined || same(conflict.mine, is)) theirs.push(conflict)
    else both.push(conflict)
  }
  return { both, theirs }
}
