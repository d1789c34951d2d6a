// What rows are called, and what there is to say of them in a line.

import type { LiveRow } from "../../api/schema"
import { meaning } from "../../ui/codes"
import { count, duration, size } from "../../ui/numbers"
import type { Entry } from "./log"

export type Type = Exclude<LiveRow["type"], "gap" | "nodes">

// keyOf tells a row from others. What nodes remember of one has no more.
export function keyOf(r: Pick<LiveRow, "type" | "time" | "socket" | "channel" | "event">): string {
  return [r.type, new Date(r.time ?? 0).getTime(), r.socket, r.channel, r.event].join()
}

// fits reports whether a row is among those that filters want, as the service has them.
export function fits(r: LiveRow, filters: Partial<Record<keyof LiveRow, string[] | undefined>>): boolean {
  return Object.entries(filters).every(([name, wanted]) => {
    const value = String(r[name as keyof LiveRow] ?? "")
    return wanted === undefined || wanted.some((w) => (w.endsWith("*") ? value.startsWith(w.slice(0, -1)) : value === w))
  })
}

type Group = "Connections" | "Channels" | "Events" | "Users" | "Trouble" | "Webhooks and settings"

// groups are the types that can be chosen, and where each stands.
export const groups: Record<Type, Group> = {
  connection: "Connections",
  disconnection: "Connections",
  terminated: "Connections",
  subscribed: "Channels",
  unsubscribed: "Channels",
  occupied: "Channels",
  vacated: "Channels",
  cache_miss: "Channels",
  api_message: "Events",
  client_event: "Events",
  presence_event: "Users",
  signed_in: "Users",
  watchlist: "Users",
  refused_connection: "Trouble",
  slow_client_closed: "Trouble",
  client_error: "Trouble",
  api_error: "Trouble",
  error: "Trouble",
  webhook_failed: "Trouble",
  webhook_sent: "Webhooks and settings",
  config_change: "Webhooks and settings",
}

export const types = Object.keys(groups) as Type[]

// said are the types of a parameter of the address. Without it they are all, and
// "none" is none.
export function said(text: string): Type[] {
  if (text === "") return types
  const names = text.split(",")
  return types.filter((t) => names.includes(t))
}

// asText is the parameter for types.
export function asText(chosen: Type[]): string {
  if (chosen.length === types.length) return ""
  return chosen.join(",") || "none"
}

// byName are nodes by their names. One that was started anew is listed twice for a
// while; it answers if either does.
export function byName(nodes: NonNullable<LiveRow["nodes"]>): NonNullable<LiveRow["nodes"]> {
  const found = new Map<string, (typeof nodes)[number]>()
  for (const n of nodes) {
    if (!found.get(n.name)?.answered) found.set(n.name, n)
  }
  return [...found.values()]
}

const reasons: Record<NonNullable<LiveRow["reason"]>, string> = {
  rate: "not shown, to keep the rate that was chosen",
  slow_reader: "not shown: this browser was too slow",
  busy_node: "not shown: too much happened at once",
  lost: "lost: the node, or what it kept, is gone",
}

// interrupts reports whether an entry says something about the rows, rather than
// being one.
export function interrupts(row: Entry["row"]): boolean {
  return row.type === "gap" || row.type === "nodes" || row.type === "page"
}

// interruption is what such an entry says. Names of nodes come from operators.
export function interruption(row: Entry["row"]): string {
  switch (row.type) {
    case "page":
      return row.says
    case "gap": {
      const many = row.count == null ? "An unknown number of rows is" : row.count === 1 ? "1 row is" : `${count(row.count)} rows are`
      return `${many} ${row.reason ? reasons[row.reason] : "not shown"}${row.node ? ` (node ${row.node})` : ""}.`
    }
    case "nodes": {
      const missing = (row.nodes ?? []).filter((n) => !n.answered)
      if (missing.length === 0) return `Rows of ${(row.nodes ?? []).map((n) => n.name).join(", ")}.`
      return `Rows of ${missing.map((n) => `${n.name} are missing: it ${n.detail ?? "has not answered"}`).join("; ")}.`
    }
  }
  return ""
}

// summary is what a row says beside what stands in its columns.
export function summary(r: LiveRow): string {
  const list: (string | undefined | false)[] = []
  if (r.here !== undefined && r.elsewhere !== undefined) list.push(`to ${count(r.here)} here${r.elsewhere > 0 ? `, ${count(r.elsewhere)} elsewhere` : ""}`)
  if (r.except) list.push(`but ${r.except}`)
  if (r.client) list.push(r.client.transport, r.client.library, r.client.origin)
  if (r.code !== undefined) list.push(String(r.code))
  list.push(r.detail || (r.code !== undefined && meaning(r.code)))
  if (r.closed_by) list.push(`closed by the ${r.closed_by}`)
  if (r.lasted !== undefined) list.push(`after ${duration(r.lasted)}`)
  if (r.channel_count) list.push(`${count(r.channel_count)} ${r.channel_count === 1 ? "channel" : "channels"}`)
  if (r.waiting) list.push(`${size(r.waiting)} waited`)
  list.push(r.data ?? r.no_data)
  return list.filter(Boolean).join(" · ")
}
