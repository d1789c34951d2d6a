import { useEffect, useRef, useState } from "preact/hooks"
import { address, call, contact, type Given } from "../../api/client"
import type { LiveRow } from "../../api/schema"
import type { Message } from "../../api/messages"
import { follow, type State } from "../../api/stream"
import { Frequency, Log } from "./log"
import { byName, fits, keyOf, types } from "./words"

export type Filters = NonNullable<Given<"GET /api/v1/apps/{id}/live">["query"]>

// A Live is what the page knows of what happens.
export interface Live {
  log: Log
  state: State
  nodes: NonNullable<LiveRow["nodes"]>
  channels: Frequency
  events: Frequency
  again: () => void // after a refusal
  redraw: () => void
}

// redrawn is how often what has come is shown.
const redrawn = 200

// source is the address of the stream for filters; nothing if they want nothing.
export function source(app: string, filters: Filters | undefined): URL | undefined {
  return filters && address("GET /api/v1/apps/{id}/live", { path: { id: app }, query: filters })
}

// useLive reads what happens to an app, with other filters anew.
export function useLive(app: string, filters: Filters | undefined): Live {
  const url = source(app, filters)?.href ?? ""
  const [state, setState] = useState<State>({ is: "asking" })
  const [attempt, setAttempt] = useState(0)
  const [, setVersion] = useState(0)
  const kept = useRef(empty(url))
  if (kept.current.url !== url) kept.current = empty(url)
  const timer = useRef<number | undefined>(undefined)
  const redraw = () => {
    timer.current ??= window.setTimeout(() => {
      timer.current = undefined
      setVersion((v) => v + 1)
    }, redrawn)
  }
  useEffect(() => () => clearTimeout(timer.current), [])
  const lost = contact.value.lost
  useEffect(() => {
    if (!url) return
    const live = kept.current
    const changed = (next: State) => {
      cutOrNot(live, next)
      setState(next)
      redraw()
    }
    if (lost) {
      changed({ is: "cut", since: lost })
      return
    }
    const messages = (list: Message[]) => {
      const now = Date.now()
      for (const m of list) take(live, m, now)
      live.log.trim()
      live.last = list.at(-1)!.id
      redraw()
    }
    const stop = new AbortController()
    if (!live.last && filters) void remember(app, filters, live, stop.signal).then(redraw)
    void follow(new URL(url), { last: live.last, signal: stop.signal, messages, state: changed })
    return () => stop.abort()
  }, [url, lost, contact.value.healed, attempt])
  return { ...kept.current, state, again: () => setAttempt(attempt + 1), redraw }
}

// remembered is how many rows from before the page was opened are asked for.
const remembered = 200

// remember puts before what comes what the nodes remember of before. Where they do
// not tell, the list begins with what comes.
async function remember(app: string, { type, channel, event, socket, user, node, sample }: Filters, live: Kept, signal: AbortSignal): Promise<void> {
  if (sample) return // a part of what was would not fit to what comes
  const answer = await call("GET /api/v1/apps/{id}/timeline", { path: { id: app }, query: { limit: remembered }, poll: true, signal }).catch(() => undefined)
  const here = new Set(live.log.entries.map((e) => (e.row.type === "page" ? "" : keyOf(e.row))))
  const rows = (answer?.rows ?? [])
    .map(({ handed: _, ...r }) => r as LiveRow)
    .filter((r) => types.includes(r.type as (typeof types)[number]) && fits(r, { type, channel, event, socket, user, node }) && !here.has(keyOf(r)))
    .reverse()
  if (rows.length === 0) return
  note(live.log, "What is below happened before this page was opened. Data of events are not remembered.", rows.at(-1)!.time)
  live.log.precede(rows)
  live.before = new Set(rows.map(keyOf))
}

// A Kept is what there is of one stream, however often it is cut.
interface Kept {
  url: string
  last: string // the id of the message that was read last
  opened: boolean
  cut: boolean
  before: Set<string> // rows that were remembered, and may come as well
  log: Log
  nodes: Live["nodes"]
  channels: Frequency
  events: Frequency
}

function empty(url: string): Kept {
  return { url, last: "", opened: false, cut: false, before: new Set(), log: new Log(), nodes: [], channels: new Frequency(), events: new Frequency() }
}

// cutOrNot says in its place that a stream was cut, and that it goes on.
function cutOrNot(live: Kept, { is }: State): void {
  if (is === "cut" && live.opened && !live.cut) note(live.log, "The stream was cut.")
  if (is === "open" && live.cut) note(live.log, "The stream goes on.")
  live.opened ||= is === "open"
  live.cut = live.opened && (is === "cut" || (live.cut && is !== "open"))
}

// take keeps what came as one message.
function take(live: Kept, { id, data }: Message, now: number): void {
  const row = JSON.parse(data) as LiveRow
  if (row.type === "nodes") {
    const first = live.nodes.length === 0
    live.nodes = byName(row.nodes ?? [])
    row.nodes = live.nodes
    if (first && live.nodes.every((n) => n.answered)) return // which the head of the page says
  } else {
    if (live.before.delete(keyOf(row))) return
    live.channels.add(row.channel, now)
    live.events.add(row.event, now)
  }
  live.log.add(id, row, data.length)
}

// note puts words of the page where they belong.
function note(log: Log, says: string, before?: string): void {
  const row = { type: "page", time: before ?? new Date().toISOString(), says } as const
  if (before) log.precede([row])
  else log.add(`page.${log.added}`, row, says.length)
}
