import type { Endpoint } from "../../api/schema"
import { useAsk } from "../../api/use"
import type { Page } from "../../shell/page"
import { to } from "../../shell/router"
import { duration, size } from "../../ui/numbers"
import { Empty, Wait } from "../../ui/state"
import { type Column, Table } from "../../ui/table"
import { Text } from "../../ui/text"
import { Command } from "../../ui/form"
import { OneNode, State } from "./health"

export const endpointsPage: Page = { path: "webhooks", title: "Endpoints of webhooks", view: View, menu: { of: "service", key: "e", name: "Webhooks" } }

function View() {
  const asked = useAsk("GET /api/v1/webhooks", { query: { limit: 1000 } }, { every: 5_000 })
  return (
    <>
      <h1>Endpoints of webhooks</h1>
      <OneNode />
      <Wait asked={asked}>
        {({ endpoints, next }) =>
          endpoints.length === 0 ? (
            <Empty>
              <p>No app has an endpoint. They are added on the page Webhooks of an app.</p>
            </Empty>
          ) : (
            <>
              <Table label="Endpoints" rows={endpoints} id={(e) => `${e.app} ${e.endpoint}`} columns={columns} />
              {next && <p class="hint">These are the first thousand or so; the page of an app has its own.</p>}
            </>
          )
        }
      </Wait>
      <p>
        <a href="dead-letters">Dead letters: events that were not delivered</a>
      </p>
      <Command>belfry webhooks list</Command>
    </>
  )
}

const order = { down: 0, failing: 1, ok: 2 }

const columns: Column<Endpoint>[] = [
  {
    key: "app",
    label: "App",
    sort: (e) => e.app,
    value: (e) => (
      <a href={to("apps/:app/webhooks", { app: e.app })}>
        <Text value={e.app} />
      </a>
    ),
  },
  { key: "url", label: "URL", sort: (e) => e.url, value: (e) => <Text value={e.url} /> },
  { key: "state", label: "State", sort: (e) => order[e.state], value: (e) => <State endpoint={e} /> },
  { key: "waiting", label: "Waiting", number: true, sort: (e) => e.queued_bytes, value: (e) => size(e.queued_bytes) },
  { key: "oldest", label: "Oldest", number: true, sort: (e) => e.oldest_seconds, value: (e) => (e.oldest_seconds > 0 ? duration(e.oldest_seconds) : "–") },
  { key: "error", label: "Last error", value: (e) => (e.state !== "ok" && e.last_error ? <Text value={e.last_error} max={120} /> : "–") },
]
