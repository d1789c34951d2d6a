// Which hours are shown.

export interface Range {
  from: Date
  to: Date
}

const hour = 3_600_000

export const ranges: [string, string, number][] = [
  ["24h", "24 hours", 24],
  ["7d", "7 days", 7 * 24],
  ["31d", "31 days", 31 * 24],
]

// range reads the parameters of the address: a name, or two moments.
export function range(name: string, from: string, to: string, now: Date): Range {
  const end = new Date(Math.floor(now.getTime() / 1000) * 1000)
  const custom = { from: new Date(from), to: to ? new Date(to) : end }
  if (name === "" && from && !Number.isNaN(custom.from.getTime()) && !Number.isNaN(custom.to.getTime()) && custom.from <= custom.to) return custom
  const hours = ranges.find(([n]) => n === name)?.[2] ?? 24
  return { from: new Date(Math.floor(end.getTime() / hour) * hour - (hours - 1) * hour), to: end }
}

// whole fills the hours of a range that were left out, because nothing was used,
// with what stands for them.
export function whole<T extends { hour: string }>(hours: T[], { from, to }: Range, none: Omit<T, "hour">): T[] {
  const known = new Map(hours.map((h) => [new Date(h.hour).getTime(), h]))
  const list: T[] = []
  for (let at = Math.ceil(from.getTime() / hour) * hour; at <= to.getTime(); at += hour) {
    list.push(known.get(at) ?? ({ ...none, hour: new Date(at).toISOString() } as T))
  }
  return list
}

// recent are the ranges of which nodes remember the minutes.
export const recent = {
  "1h": { title: "1 hour, by the minute", step: "1", slots: 60 },
  "1d": { title: "1 day, by 5 minutes", step: "5", slots: 288 },
} as const

type Slot = { at: string; peak_connections: number; backend_events: number; client_events: number; deliveries: number; requests: number }

// window is the last slots of so many minutes. What is not known is null: it is a
// gap, and not zero.
export function window(slots: Slot[], minutes: number, wanted: number, now: Date): { [K in keyof Slot]: K extends "at" ? string : Slot[K] | null }[] {
  const length = minutes * 60_000
  const known = new Map(slots.map((s) => [new Date(s.at).getTime(), s]))
  const last = Math.floor(now.getTime() / length) * length
  return Array.from({ length: wanted }, (_, i) => {
    const at = last - (wanted - 1 - i) * length
    const unknown = { at: new Date(at).toISOString(), peak_connections: null, backend_events: null, client_events: null, deliveries: null, requests: null }
    return known.get(at) ?? unknown
  })
}

// gaps counts what is not known: before the first that is, and after it. The last
// one does not count: it has only begun.
export function gaps(values: (number | null)[]): { before: number; later: number } {
  const known = values.findIndex((v) => v !== null)
  const before = known < 0 ? values.length : known
  return { before, later: values.slice(before, -1).filter((v) => v === null).length }
}
