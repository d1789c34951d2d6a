import { useMemo } from "preact/hooks"
import type { App, Hour } from "../../api/schema"
import { type Answer } from "../../api/client"
import { useAsk } from "../../api/use"
import type { Page } from "../../shell/page"
import { node } from "../../shell/reach"
import { query, setQuery } from "../../shell/router"
import { Chart } from "../../ui/chart"
import { csv, download } from "../../ui/download"
import { Command } from "../../ui/form"
import { count, zone } from "../../ui/numbers"
import { Wait } from "../../ui/state"
import { type Column, Table } from "../../ui/table"
import { Time } from "../../ui/time"
import { range, type Range, ranges, whole } from "./range"

export const usagePage: Page = { path: "apps/:app/usage", title: "Usage", view: View, menu: { of: "app", key: "u" } }

const none = { peak_connections: 0, backend_events: 0, client_events: 0, deliveries: 0 }

function View({ params }: { params: Record<string, string> }) {
  const id = params.app!
  const q = query.value
  const key = [q.get("range") ?? "", q.get("from") ?? "", q.get("to") ?? ""]
  const span = useMemo(() => range(key[0]!, key[1]!, key[2]!, new Date()), key)
  const app = useAsk("GET /api/v1/apps/{id}", { path: { id } })
  const asked = useAsk("GET /api/v1/apps/{id}/usage", { path: { id }, query: { from: span.from.toISOString(), to: span.to.toISOString() } })
  return (
    <>
      <h1>Usage</h1>
      <Choose chosen={key[0] || (key[1] ? "" : "24h")} />
      <Wait asked={asked}>{(used) => <Used id={id} used={used} span={span} app={app.data} />}</Wait>
      <Command>{`belfry apps usage ${id}`}</Command>
    </>
  )
}

// Choose sets the range, which stands in the address.
export function Choose({ chosen }: { chosen: string }) {
  return (
    <p class="actions" role="group" aria-label="Range">
      {ranges.map(([name, title]) => (
        <button type="button" class={name === chosen ? undefined : "quiet"} aria-pressed={name === chosen} onClick={() => setQuery({ range: name, from: "", to: "" }, "push")}>
          {title}
        </button>
      ))}
      <span class="hint">Times are those of {zone}.</span>
    </p>
  )
}

interface UsedProps {
  id: string
  used: Answer<"GET /api/v1/apps/{id}/usage">
  span: Range
  app: App | undefined
}

function Used({ id, used, span, app }: UsedProps) {
  const hours = useMemo(() => whole<Hour>(used.hours, span, none), [used, span])
  const times = useMemo(() => hours.map((h) => new Date(h.hour).getTime() / 1000), [hours])
  const series = useMemo(() => {
    const of = (label: string, value: (h: Hour) => number) => ({ label, values: hours.map(value) })
    return {
      connections: [of("Peak connections", (h) => h.peak_connections)],
      events: [of("Backend events", (h) => h.backend_events), of("Client events", (h) => h.client_events)],
      deliveries: [of("Deliveries", (h) => h.deliveries)],
    }
  }, [hours])
  const { total } = used
  const limit = app?.limits.connections
  const figures: [string, string, string?][] = [
    ["Peak connections", count(total.peak_connections), limit ? `${((total.peak_connections / limit) * 100).toFixed(1)} % of ${count(limit)}` : undefined],
    ["Backend events", count(total.backend_events)],
    ["Client events", count(total.client_events)],
    ["Deliveries", count(total.deliveries)],
    ["Events and deliveries", count(total.backend_events + total.client_events + total.deliveries), "near what the hosted service bills as messages"],
  ]
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
        Backend events count once for each channel; the hosted service bills a request once. Usage is taken each minute and kept for 31 days.
      </p>
      <Chart label="Connections, the most at once in each hour" times={times} series={series.connections} line={limit ? { label: "Limit", value: limit } : undefined} />
      <Chart label="Events in each hour" times={times} series={series.events} />
      <Chart label="Deliveries in each hour" times={times} series={series.deliveries} />
      <p class="actions">
        <button type="button" class="quiet" onClick={() => download(`usage-${id}.csv`, "text/csv", csv(Object.keys(none).toSpliced(0, 0, "hour"), hours.map((h) => [h.hour, h.peak_connections, h.backend_events, h.client_events, h.deliveries])))}>
          Export CSV
        </button>
        <button type="button" class="quiet" onClick={() => download(`usage-${id}.json`, "application/json", JSON.stringify({ ...used, hours }, null, 2))}>
          Export JSON
        </button>
      </p>
      <details>
        <summary>The same as a table</summary>
        <Table label="Usage by the hour" rows={[...hours].reverse()} id={(h) => h.hour} columns={columns} />
      </details>
    </>
  )
}

const columns: Column<Hour>[] = [
  { key: "hour", label: "Hour", sort: (h) => h.hour, value: (h) => <Time at={h.hour} age={false} /> },
  { key: "peak", label: "Peak", number: true, sort: (h) => h.peak_connections, value: (h) => count(h.peak_connections) },
  { key: "backend", label: "Backend events", number: true, sort: (h) => h.backend_events, value: (h) => count(h.backend_events) },
  { key: "client", label: "Client events", number: true, sort: (h) => h.client_events, value: (h) => count(h.client_events) },
  { key: "deliveries", label: "Deliveries", number: true, sort: (h) => h.deliveries, value: (h) => count(h.deliveries) },
]
