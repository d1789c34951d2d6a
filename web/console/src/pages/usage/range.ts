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
