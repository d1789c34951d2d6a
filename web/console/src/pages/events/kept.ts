// What was sent lately and what has a name, in this browser alone, for each app.

import type { Draft } from "./model"

// A Kept is an event that can be filled in again.
export interface Kept {
  title: string // empty: it was sent, and nobody has named it
  draft: Draft
}

const most = 20
const room = 64 << 10 // characters that all of an app have together

const place = (app: string) => `belfry-events:${app}`

// kept are those of an app, those with a name first.
export function kept(app: string): Kept[] {
  try {
    const list = JSON.parse(localStorage.getItem(place(app)) ?? "[]") as unknown
    return Array.isArray(list) ? list.filter(whole) : []
  } catch {
    return []
  }
}

function whole(k: Kept): boolean {
  const d = k?.draft
  return typeof k?.title === "string" && !!d && (d.to === "channels" || d.to === "user") && Array.isArray(d.channels) && d.channels.every((c) => typeof c === "string") &&
    [d.user, d.name, d.data, d.except].every((v) => typeof v === "string")
}

// keep adds one, in place of what is the same or has its title. The oldest without a
// name goes when there is no room. One that needs more than half of it is not kept.
export function keep(list: Kept[], one: Kept): Kept[] {
  if (JSON.stringify(one).length > room / 2) return list
  const same = (k: Kept) => (one.title ? k.title === one.title : !k.title && JSON.stringify(k.draft) === JSON.stringify(one.draft))
  const next = [one, ...list.filter((k) => !same(k))].sort((a, b) => Number(!a.title) - Number(!b.title))
  while (next.length > most || JSON.stringify(next).length > room) next.pop()
  return next
}

// store writes them, or takes them all away.
export function store(app: string, list: Kept[]): void {
  try {
    if (list.length > 0) localStorage.setItem(place(app), JSON.stringify(list))
    else localStorage.removeItem(place(app))
  } catch {
    // a browser that keeps nothing
  }
}
