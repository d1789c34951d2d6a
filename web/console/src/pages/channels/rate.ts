// How many messages go to the subscribers of a channel, from the numbers that two
// answers have.

// Seen is what the last answer had of each channel.
export type Seen = Map<string, { order: number; at: number }>

// Rates are messages a minute.
export type Rates = Map<string, number>

interface Answered {
  at: string
  channels: { name: string; order: number }[]
}

// perMinute compares an answer with what was seen before. A number that is smaller
// than before is of another node, or of a channel that was empty meanwhile.
export function perMinute(before: Seen, page: Answered): { rates: Rates; before: Seen } {
  const at = Date.parse(page.at)
  const rates: Rates = new Map()
  const next: Seen = new Map()
  for (const { name, order } of page.channels) {
    next.set(name, { order, at })
    const last = before.get(name)
    if (last && at > last.at && order >= last.order) rates.set(name, ((order - last.order) / (at - last.at)) * 60_000)
  }
  return { rates, before: next }
}
