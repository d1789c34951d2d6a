// What the page keeps of what it has read, which is bounded.

import type { LiveRow } from "../../api/schema"

// An Entry is a row of the service, or what the page itself has to say in its place.
export interface Entry {
  id: string
  number: number // of entries since the page was opened; negative before that
  row: LiveRow | { type: "page"; time: string; says: string }
  cost: number
}

// The bounds of what is kept. The oldest goes.
export const maxEntries = 5_000
export const maxBytes = 12 << 20

// entryCost is about what an entry takes beside its text.
const entryCost = 500

// A Log has the entries in the order in which they came.
export class Log {
  entries: Entry[] = []
  added = 0 // all that there were
  gone = 0 // those that had to go
  private bytes = 0

  add(id: string, row: Entry["row"], length: number): void {
    const cost = entryCost + 2 * length
    this.entries.push({ id, number: this.added++, row, cost })
    this.bytes += cost
  }

  // precede puts rows before all others: the newest of them is the last.
  precede(rows: Entry["row"][]): void {
    const first = this.entries[0]?.number ?? this.added
    this.entries.unshift(...rows.map((row, i) => ({ id: `before.${first - i}`, number: first - rows.length + i, row, cost: entryCost })))
    this.bytes += rows.length * entryCost
  }

  // trim lets go of what is too much. It is called after some were added.
  trim(): void {
    let n = Math.max(0, this.entries.length - maxEntries)
    let bytes = this.bytes
    for (let i = 0; i < n; i++) bytes -= this.entries[i]!.cost
    while (bytes > maxBytes && n < this.entries.length - 1) bytes -= this.entries[n++]!.cost
    this.entries.splice(0, n)
    this.bytes = bytes
    this.gone += n
  }

  clear(): void {
    this.entries = []
    this.bytes = 0
    this.gone = 0
  }
}

// contains reports whether a text is in an entry, as it is shown or sent. What is
// not a row is in any case.
export function contains({ row }: Entry, text: string): boolean {
  if (row.type === "page" || row.type === "gap" || row.type === "nodes") return true
  const wanted = text.toLowerCase()
  return Object.values(row).some((value) => String(typeof value === "object" ? JSON.stringify(value) : value).toLowerCase().includes(wanted))
}

// minute is how long a name counts as frequent, in slots of a second each.
const minute = 60

// maxNames is how many names one second tells apart.
const maxNames = 500

// A Frequency counts names of the last minute.
export class Frequency {
  private slots: { second: number; counts: Map<string, number> }[] = []

  add(name: string | undefined, now: number): void {
    if (!name) return
    const second = Math.floor(now / 1000)
    let last = this.slots.at(-1)
    if (last?.second !== second) {
      last = { second, counts: new Map() }
      this.slots.push(last)
      this.forget(second)
    }
    const n = last.counts.get(name)
    if (n !== undefined || last.counts.size < maxNames) last.counts.set(name, (n ?? 0) + 1)
  }

  private forget(second: number): void {
    while (this.slots.length > 0 && this.slots[0]!.second <= second - minute) this.slots.shift()
  }

  // top are the most frequent names of the last minute.
  top(most: number, now: number): [name: string, count: number][] {
    this.forget(Math.floor(now / 1000))
    const sum = new Map<string, number>()
    for (const { counts } of this.slots) for (const [name, n] of counts) sum.set(name, (sum.get(name) ?? 0) + n)
    return [...sum].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1)).slice(0, most)
  }
}
