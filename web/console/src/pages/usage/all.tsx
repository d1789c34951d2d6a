import { useMemo } from "preact/hooks"
import type { AppUsed } from "../../api/schema"
import { useAsk } from "../../api/use"
import type { Page } from "../../shell/page"
import { query, to } from "../../shell/router"
import { csv, download } from "../../ui/download"
import { Command } from "../../ui/form"
import { count } from "../../ui/numbers"
import { Empty, Wait } from "../../ui/state"
import { type Column, Table } from "../../ui/table"
import { Text } from "../../ui/text"
import { Choose } from "./page"
import { range } from "./range"

export const allUsagePage: Page = { path: "usage", title: "Usage of all apps", view: View, menu: { of: "service", key: "l", name: "Usage" } }

function View() {
  const name = query.value.get("range") || "24h"
  const span = useMemo(() => range(name, "", "", new Date()), [name])
  const asked = useAsk("GET /api/v1/usage", { query: { from: span.from.toISOString(), to: span.to.toISOString(), limit: 1000 } })
  return (
    <>
      <h1>Usage of all apps</h1>
      <Choose chosen={name} />
      <Wait asked={asked}>
        {({ apps, next }) =>
          apps.length === 0 ? (
            <Empty>
              <p>No app was used in that time.</p>
            </Empty>
          ) : (
            <>
              <Table label="Usage of apps" rows={apps} id={(a) => a.id} columns={columns} />
              {next && <p class="hint">These are the first thousand by their ids.</p>}
              <p class="actions">
                <button
                  type="button"
                  class="quiet"
                  onClick={() =>
                    download("usage.csv", "text/csv", csv(["id", "peak_connections", "backend_events", "client_events", "deliveries", "requests"], apps.map((a) => [a.id, a.peak_connections, a.backend_events, a.client_events, a.deliveries, a.requests])))
                  }
                >
                  Export CSV
                </button>
              </p>
            </>
          )
        }
      </Wait>
      <Command>belfry apps usage</Command>
    </>
  )
}

const columns: Column<AppUsed>[] = [
  {
    key: "id",
    label: "App",
    sort: (a) => a.id,
    value: (a) => (
      <a href={to("apps/:app/usage", { app: a.id }, { range: query.value.get("range") ?? "" })}>
        <Text value={a.id} />
      </a>
    ),
  },
  { key: "peak", label: "Peak", number: true, sort: (a) => a.peak_connections, value: (a) => count(a.peak_connections) },
  { key: "backend", label: "Backend events", number: true, sort: (a) => a.backend_events, value: (a) => count(a.backend_events) },
  { key: "client", label: "Client events", number: true, sort: (a) => a.client_events, value: (a) => count(a.client_events) },
  { key: "deliveries", label: "Deliveries", number: true, sort: (a) => a.deliveries, value: (a) => count(a.deliveries) },
  { key: "requests", label: "Requests", number: true, sort: (a) => a.requests, value: (a) => count(a.requests) },
  { key: "messages", label: "Messages", number: true, sort: (a) => a.requests + a.deliveries, value: (a) => count(a.requests + a.deliveries) },
]
