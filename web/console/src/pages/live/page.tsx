import { useEffect, useRef, useState } from "preact/hooks"
import type { Page } from "../../shell/page"
import { useKeys } from "../../shell/keys"
import { go, query, setQuery, to } from "../../shell/router"
import { csv, download } from "../../ui/download"
import { Command } from "../../ui/form"
import { counted, PartOf } from "../../ui/list"
import { count } from "../../ui/numbers"
import { quoted } from "../../ui/shell"
import { Badge, Empty, Notice } from "../../ui/state"
import { Time } from "../../ui/time"
import { Detail } from "./detail"
import { Choose, filtersOf, parameters } from "./filters"
import { List } from "./list"
import { type Live, source, useLive } from "./live"
import { Reach } from "./reach"
import { contains, type Entry, type Log, maxEntries } from "./log"
import { interrupts } from "./words"

export const livePage: Page = { path: "apps/:app/live", title: "Live", view: View, least: "developer", menu: { of: "app", key: "i" } }

// A Frozen is what is shown while new rows must not move it.
interface Frozen {
  log: Log
  entries: Entry[]
  added: number
}

function View({ params }: { params: Record<string, string> }) {
  const app = params.app!
  const filters = filtersOf(query.value)
  const live = useLive(app, filters)
  const [paused, setPaused] = useState(false)
  const [scrolled, setScrolled] = useState(false)
  const [cursor, setCursor] = useState<number | null>(null) // number of the entry that has the focus
  const frozen = useRef<Frozen | null>(null)
  const openID = query.value.get("open") ?? ""
  const named = (e: Entry) => e.id === openID || ("event_id" in e.row && e.row.event_id === openID)
  const open = openID ? ((frozen.current?.log === live.log && frozen.current.entries.find(named)) || live.log.entries.find(named)) : undefined
  const held = paused || scrolled || cursor !== null || !!open
  if (!held || frozen.current?.log !== live.log) frozen.current = null
  if (held) frozen.current ??= { log: live.log, entries: live.log.entries.slice(), added: live.log.added }
  const text = query.value.get("text") ?? ""
  const kept = frozen.current?.entries ?? live.log.entries
  const view = text ? kept.filter((e) => contains(e, text)) : kept
  const news = live.log.added - (frozen.current?.added ?? live.log.added)
  const close = () => setQuery({ open: "" })
  const clear = () => {
    live.log.clear()
    frozen.current = null
    if (openID) close()
    live.redraw()
  }
  const move = (by: number) => {
    const at = view.findIndex((e) => e.number === (cursor ?? open?.number))
    const next = at < 0 ? view.at(-1) : view[at - by]
    if (next) setCursor(next.number)
  }
  const chosen = view.find((e) => e.number === cursor) ?? open
  useKeys([
    { key: "p", means: "pause, and go on", press: () => setPaused(!paused) },
    { key: "c", means: "clear the list", press: clear },
    { key: "j", means: "the next row", press: () => move(1) },
    { key: "k", means: "the row before", press: () => move(-1) },
    { key: "e", means: "explain the event of the row", press: () => chosen && explain(app, chosen) },
    { key: "Escape", means: "close the row, and follow what happens", press: () => (close(), setCursor(null), (document.activeElement as HTMLElement | null)?.blur()) },
  ])
  const follow = () => {
    close()
    setCursor(null)
    setScrolled(false)
  }
  return (
    <>
      <h1>Live</h1>
      <Status app={app} live={live} wanted={!!filters} />
      <Reach app={app} />
      <PartOf nodes={live.nodes} />
      <Choose live={live} />
      <div class="actions">
        <button type="button" aria-pressed={paused} onClick={() => setPaused(!paused)}>
          {paused ? `Go on${news > 0 ? ` (${count(news)} new)` : ""}` : "Pause"}
        </button>
        <button type="button" class="quiet" onClick={clear}>
          Clear
        </button>
        <button type="button" class="quiet" onClick={() => download(`live-${app}.ndjson`, "application/x-ndjson", view.map((e) => JSON.stringify(e.row) + "\n").join(""))}>
          Export NDJSON
        </button>
        <button type="button" class="quiet" onClick={() => download(`live-${app}.csv`, "text/csv", table(view))}>
          Export CSV
        </button>
        {held && !paused && news > 0 && (
          <button type="button" onClick={follow}>
            {count(news)} new
          </button>
        )}
        <span class="hint">
          {text && `${count(view.filter((e) => !interrupts(e.row)).length)} of ${counted(kept.length, "row")} contain the text. `}
          {live.log.gone > 0 && `The page keeps ${count(maxEntries)} rows, or 12 MiB of them; ${count(live.log.gone)} older ones have gone.`}
        </span>
      </div>
      <News log={live.log} off={held} />
      {openID && !open && <Absent app={app} id={openID} />}
      <div class={open ? "live open" : "live"}>
        <List view={view} added={live.log.added} scrolled={scrolled} cursor={cursor} open={open} clustered={live.nodes.length > 1} onScrolled={setScrolled} onCursor={setCursor} />
        {open && <Detail app={app} entry={open} close={close} />}
      </div>
      {view.length === 0 && filters && <Nothing app={app} state={live.state} />}
      <Command>{commands(app)}</Command>
    </>
  )
}

function explain(app: string, { row }: Entry): void {
  const link = document.querySelector<HTMLAnchorElement>("a[data-explain]")
  if (link) link.click()
  else if ("event_id" in row && row.event_id) go(to("apps/:app/explain", { app }, { event: row.event_id }))
}

// Status says whether the stream comes, and of which nodes.
function Status({ app, live, wanted }: { app: string; live: Live; wanted: boolean }) {
  const { state, nodes } = live
  if (!wanted) return <p role="status">No type of rows is chosen, so nothing is asked for.</p>
  if (state.is === "refused") {
    return (
      <Notice kind="bad" alert>
        <p>{state.why.message}</p>
        <p class="actions">
          <button type="button" onClick={live.again}>
            Try again
          </button>
          {state.why.status === 404 && <a href="./">All apps</a>}
        </p>
      </Notice>
    )
  }
  return (
    <p class="actions" role="status">
      {state.is === "open" && (
        <>
          <Badge kind="good">live</Badge>
          <span>
            since <Time at={state.since} age={false} short />
            {nodes.length > 1 && `, ${nodes.filter((n) => n.answered).length} of ${nodes.length} nodes`}. This browser reaches the stream.
          </span>
        </>
      )}
      {state.is === "asking" && <Badge kind="off">asking for the stream</Badge>}
      {state.is === "cut" && (
        <>
          <Badge kind="bad">cut</Badge>
          <span>
            The stream was cut, and is asked for again by itself. <a href={to("apps/:app/connect", { app })}>How clients connect</a>
          </span>
        </>
      )}
    </p>
  )
}

// said is how often those who do not see the page are told how much has come.
const said = 5_000

// News tells them.
function News({ log, off }: { log: Log; off: boolean }) {
  const [text, setText] = useState("")
  const heard = useRef(log.added)
  useEffect(() => {
    const timer = setInterval(() => {
      const n = log.added - heard.current
      heard.current = log.added
      setText(n > 0 && !off ? `${counted(n, "row")} came.` : "")
    }, said)
    return () => clearInterval(timer)
  }, [log, off])
  return (
    <p class="unseen" role="log">
      {text}
    </p>
  )
}

// Absent says why a link leads to a row that is not here.
function Absent({ app, id }: { app: string; id: string }) {
  return (
    <Notice kind="warn">
      <p>
        The row that was asked for is not here. The page has what came since it was opened.{" "}
        {/^[A-Z2-7]+-\d+$/.test(id) && <a href={to("apps/:app/explain", { app }, { event: id })}>Explain that event</a>}
      </p>
    </Notice>
  )
}

function Nothing({ app, state }: { app: string; state: Live["state"] }) {
  return (
    <Empty>
      <p>
        Nothing that fits has happened{state.is === "open" && (
          <>
            {" "}since <Time at={state.since} age={false} short />
          </>
        )}. What happens to the app is shown here while it happens.
      </p>
      <p>
        <a href={to("apps/:app/connect", { app })}>Connect an application</a>, or type <code>belfry trigger news hello '{"{}"}'</code>. What went wrong before stands under{" "}
        <a href={to("apps/:app/errors", { app })}>Errors</a>.
      </p>
    </Empty>
  )
}

const columns = ["time", "type", "node", "channel", "event", "socket", "user", "size", "code", "detail", "data", "event_id", "count", "reason"] as const

// table is what is shown, for spreadsheets. Times are UTC.
function table(view: Entry[]): string {
  const value = (v: unknown): string | number => (typeof v === "number" ? v : v == null ? "" : String(v))
  return csv([...columns], view.map((e) => columns.map((name) => value(name === "detail" && e.row.type === "page" ? e.row.says : (e.row as Record<string, unknown>)[name]))))
}

// commands show the same in a terminal.
function commands(app: string): string {
  const q = query.value
  const flags = parameters.filter((name) => q.get(name) && name !== "data").map((name) => ` --${name} ${quoted(q.get(name)!)}`)
  if (q.get("data") === "false") flags.push(" --no-data")
  const url = source(app, filtersOf(q))
  return [`belfry tail --app ${quoted(app)}${flags.join("")}`, url && `curl -N -H "Authorization: Bearer $TOKEN" ${quoted(url.href)}`].filter(Boolean).join("\n")
}
