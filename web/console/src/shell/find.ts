// What somebody may mean who types a few letters.

import { to } from "./address"
import type { App } from "./named"
import type { Page } from "./page"

// A Find is a place to go to.
export interface Find {
  what: string // what kind of thing it is
  name: string // as it is called, which strangers may have written
  note: string
  to: string
}

// most is how many are offered.
const most = 12

// find lists what fits, the likeliest first. Things inside an app are those of
// inside, if that names one.
export function find(text: string, apps: App[], pages: Page[], inside: string): Find[] {
  const wanted = text.trim()
  const has = (t: string) => t.toLowerCase().includes(wanted.toLowerCase())
  const page = (p: Page): Find => ({ what: "Page", name: p.title, note: p.menu!.of === "app" ? "of the app" : "", to: to(p.path, { app: inside }) })
  const list = pages.filter((p) => p.menu && (p.menu.of === "service" || inside) && has(p.title)).map(page)
  const found = apps
    .filter((a) => [a.id, a.name, ...a.keys.map((k) => k.key)].some(has))
    .map((a): Find => ({ what: "App", name: a.name || a.id, note: a.name ? a.id : "", to: to("apps/:app", { app: a.id }) }))
  if (wanted === "") return [...list.filter((f) => f.note), ...found].slice(0, most)
  return [...exactly(wanted, inside), ...found, ...list, ...named(wanted, inside)].slice(0, most)
}

// exactly is what only one thing looks like: a socket id, and the id of an event.
function exactly(text: string, app: string): Find[] {
  if (!app) return []
  if (/^\d+\.\d+$/.test(text)) return [{ what: "Connection", name: text, note: "", to: to("apps/:app/connections/:name", { app, name: text }) }]
  if (/^[A-Z2-7]+-\d+$/.test(text)) return [{ what: "Event", name: text, note: "explained", to: to("apps/:app/explain", { app }, { event: text }) }]
  return []
}

// named are things that may be called anything.
function named(text: string, app: string): Find[] {
  if (!app || text === "." || text === "..") return []
  return [
    { what: "Channel", name: text, note: "", to: to("apps/:app/channels/:name", { app, name: text }) },
    { what: "Channels", name: `${text}…`, note: "that begin so", to: to("apps/:app/channels", { app }, { prefix: text }) },
    { what: "User", name: text, note: "", to: to("apps/:app/users/:name", { app, name: text }) },
  ]
}
