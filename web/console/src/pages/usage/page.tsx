import { useMemo } from "preact/hooks"
import type { Hour } from "../../api/schema"
import { useAsk } from "../../api/use"
import type { Page } from "../../shell/page"
import { node } from "../../shell/reach"
import { query, setQuery } from "../../shell/router"
import { Chart } from "../../ui/chart"
import { csv, download } from "../../ui/download"
import { Command } from "../../ui/form"
import { PartOf } from "../../ui/list"
import { count, zone } from "../../ui/numbers"
import { Wait } from "../../ui/state"
import { type Column, Table } from "../../ui/table"
import { Time } from "../../ui/time"
import { gaps, range, ranges, recent, whole, window } from "./range"

export const usagePage: Page = { path: "apps/:app/usage", title: "Usage", view: View, menu: { of: "app", key: "u" } }

const none = { peak_connections: 0, backend_events: 0, client_events: 0, deliveries: 0, requests: 0 }

type Figures = typeof none

// A Row is what was used in an hour, or in some minutes; or null, where that is not known.
type Row = { at: string } & { [K in keyof Figures]: number | null }

function View({ params }: { params: Record<string, string> }) {
  const id = params.app!
  const q = query.value
  const chosen = q.get("range") || (q.get("from") ? "" : "24h")
  return (
    <>
      <h1>Usage</h1>
      <Choose chosen={chosen} recent />
      {chosen in recent ? <Recent id={id} chosen={chosen as keyof typeof recent} /> : <Hours id={id} />}
      <Command>{`belfry apps usage ${id}`}</Command>
    </>
  )
}

// Choose sets the range, which stands in the address.
export function Choose({ chosen, recent: also = false }: { chosen: string; recent?: boolean }) {
  const names = [...(also ? Object.entries(recent).map(([name, r]) => [name, r.title] as const) : []), ...ranges.map(([name, title]) => [name, title] as const)]
  return (
    <p class="actions" role="group" aria-label="Range">
      {names.map(([name, title]) => (
        <button type="button" class={name === chosen ? undefined : "quiet"} aria-pressed={name === chosen} onClick={() => setQuery({ range: name, from: "", to: "" }, "push")}>
          {title}
        </button>
      ))}
      <span class="hint">Times in {zone}</span>
    </p>
  )
}

function Hours({ id }: { id: string }) {
  const q = query.value
  const key = [q.get("range") ?? "", q.get("from") ?? "", q.get("to") ?? ""]
  const span = useMemo(() => range(key[0]!, key[1]!, key[2]!, new Date()), key)
  const asked = useAsk("GET /api/v1/apps/{id}/usage", { path: { id }, query: { from: span.from.toISOString(), to: span.to.toISOString() } })
  const rows = useMemo(() => asked.data && whole<Hour>(asked.data.hours, span, none).map(({ hour, ...used }) => ({ at: hour, ...used })), [asked.data, span])
  return <Wait asked={asked}>{(used) => <Used id={id} rows={rows!} total={used.total} each="hour" />}</Wait>
}

// Recent are the minutes that nodes remember.
function Recent({ id, chosen }: { id: string; chosen: keyof typeof recent }) {
  const { step, slots } = recent[chosen]
  const asked = useAsk("GET /api/v1/apps/{id}/usage/minutes", { path: { id }, query: { step } }, { every: 15_000 })
  const rows = useMemo<Row[] | undefined>(() => asked.data && window(asked.data.slots, Number(step), slots, new Date(asked.data.at)), [asked.data, step])
  const each = step === "1" ? "minute" : "5 minutes"
  return (
    <Wait asked={asked}>
      {({ nodes }) => (
        <>
          <PartOf nodes={nodes} />
          <Used id={id} rows={rows!} total={total(rows!)} each={each} />
        </>
      )}
    </Wait>
  )
}

function total(rows: Row[]): Figures {
  const sum = { ...none }
  for (const r of rows) {
    sum.peak_connections = Math.max(sum.peak_connections, r.peak_connections ?? 0)
    for (const name of ["backend_events", "client_events", "deliveries", "requests"] as const) sum[name] += r[name] ?? 0
  }
  return sum
}

interface UsedProps {
  id: string
  rows: Row[]
  total: Figures
  each: string
}

function Used({ id, rows, total, each }: UsedProps) {
  const app = useAsk("GET /api/v1/apps/{id}", { path: { id } })
  const now = useAsk("GET /api/v1/apps/{id}/now", { path: { id } }, { every: 5_000 })
  const times = useMemo(() => rows.map((r) => new Date(r.at).getTime() / 1000), [rows])
  const series = useMemo(() => {
    const of = (label: string, name: keyof Figures) => ({ label, values: rows.map((r) => r[name]) })
    return {
      connections: [of("Peak connections", "peak_connections")],
      events: [of("Backend events", "backend_events"), of("Client events", "client_events"), of("Requests", "requests")],
      deliveries: [of("Deliveries", "deliveries")],
    }
  }, [rows])
  const limit = app.data?.limits.connections
  const share = (n: number) => (limit ? `${((n / limit) * 100).toFixed(1)} % of ${count(limit)}` : undefined)
  const figures: [string, string, string?][] = [
    ["Connections now", now.data ? count(now.data.connections) : "…", now.data && share(now.data.connections)],
    ["Peak connections", count(total.peak_connections), share(total.peak_connections)],
    ["Backend events", count(total.backend_events)],
    ["Client events", count(total.client_events)],
    ["Deliveries", count(total.deliveries)],
    ["Requests", count(total.requests), "of backends"],
    ["Messages", count(total.requests + total.deliveries), "requests + deliveries"],
  ]
  const { before, later } = gaps(rows.map((r) => r.deliveries))
  return (
    <>
      <dl class="figures">
        {figures.map(([label, value, note]) => (
          <div key={label}>
            <dt>{label}</dt>
            <dd>{value}</dd>
            {note && <dd class="hint">{note}</dd>}
          </div>
        ))}
      </dl>
      <p class="hint">
        {node.value?.clustered && "In a cluster the peak is the sum of the peaks of the nodes, so it may be more than there were at once. "}
        Backend events count once for each channel, requests once. Messages are what the hosted service bills.{" "}
        {each === "hour" ? "Usage is taken each minute and kept for 31 days." : "Minutes are in the memory of the nodes while they run, for their 1,000 busiest apps."}
        {before === rows.length ? " Nothing is known of this app." : before > 0 && <> Before <Time at={rows[before]!.at} age={false} short /> nothing is known.</>}
        {later > 0 && ` Nothing is known of ${count(later)} ${later === 1 ? "slot" : "slots"} since then, which the charts leave out.`}
      </p>
      <Chart label={`Connections, the most at once in each ${each}`} times={times} series={series.connections} line={limit ? { label: "Limit", value: limit } : undefined} />
      <Chart label={`Events and requests in each ${each}`} times={times} series={series.events} />
      <Chart label={`Deliveries in each ${each}`} times={times} series={series.deliveries} />
      <p class="actions">
        <button type="button" class="quiet" onClick={() => download(`usage-${id}.csv`, "text/csv", csv(["at", ...names], rows.map((r) => [r.at, ...names.map((n) => r[n] ?? "")])))}>
          Export CSV
        </button>
        <button type="button" class="quiet" onClick={() => download(`usage-${id}.json`, "application/json", JSON.stringify({ total, rows }, null, 2))}>
          Export JSON
        </button>
      </p>
      <details>
        <summary>The same as a table</summary>
        <Table label={`Usage in each ${each}`} rows={[...rows].reverse()} id={(r) => r.at} columns={columns} />
      </details>
    </>
  )
}

const names = Object.keys(none) as (keyof Figures)[]

const labels: Record<keyof Figures, string> = { peak_connections: "Peak", backend_events: "Backend events", client_events: "Client events", deliveries: "Deliveries", requests: "Requests" }

const columns: Column<Row>[] = [
  { key: "at", label: "From", sort: (r) => r.at, value: (r) => <Time at={r.at} age={false} /> },
  ...names.map((name): Column<Row> => ({ key: name, label: labels[name], number: true, sort: (r) => r[name] ?? -1, value: (r) => (r[name] === null ? undefined : count(r[name])) })),
]
