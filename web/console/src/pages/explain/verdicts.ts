import type { Explanation } from "../../api/schema"
import type { Kind } from "../../ui/state"

export type Verdict = Explanation["findings"][number]["verdict"]

// verdicts are all answers that there are.
export const verdicts: Record<Verdict, { kind: Kind; title: string }> = {
  never_published: { kind: "bad", title: "Never triggered" },
  other_name: { kind: "bad", title: "Triggered under another name" },
  nobody_subscribed: { kind: "bad", title: "Nobody was subscribed" },
  not_subscribed: { kind: "bad", title: "Not subscribed then" },
  other_app: { kind: "bad", title: "Connected to another app" },
  excluded: { kind: "warn", title: "Excluded as its sender" },
  disconnected: { kind: "bad", title: "Not connected then" },
  too_slow: { kind: "bad", title: "Closed because it was too slow" },
  lost_between_nodes: { kind: "bad", title: "Lost between nodes" },
  client_event_refused: { kind: "bad", title: "The client event was refused" },
  handed_over: { kind: "good", title: "Handed over" },
  waiting: { kind: "warn", title: "Waiting for the client" },
  unknown: { kind: "off", title: "Not known" },
}

// fields are the parameters of a question.
export const fields = ["event", "channel", "name", "from", "to", "socket", "user"] as const

export type Question = Partial<Record<(typeof fields)[number], string>>

// asked is the question of an address, undefined if it names no event.
export function asked(query: URLSearchParams): Question | undefined {
  const q: Question = {}
  for (const field of fields) {
    const value = query.get(field)
    if (value) q[field] = value
  }
  if (!q.event && !q.channel) return undefined
  if (q.event) {
    // The id says which event it is; the rest would contradict it.
    for (const field of ["channel", "name", "from", "to"] as const) delete q[field]
  }
  if (q.socket) delete q.user
  return q
}

// local is a moment as a field for dates has it, and moment the other way.
export function local(text: string): string {
  const date = new Date(text)
  if (Number.isNaN(date.getTime())) return ""
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 19)
}

export function moment(text: string): string {
  const date = new Date(text)
  return Number.isNaN(date.getTime()) ? "" : date.toISOString()
}
