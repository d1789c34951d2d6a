import { useState } from "preact/hooks"
import { type Answer, call } from "../../api/client"
import { useAsk } from "../../api/use"
import { May } from "../../shell/may"
import type { Page } from "../../shell/page"
import { query, setQuery, to } from "../../shell/router"
import { counted } from "../../ui/list"
import { PartOf } from "../../ui/list"
import { count } from "../../ui/numbers"
import { Badge, Empty, Notice, Wait } from "../../ui/state"
import { type Column, Table } from "../../ui/table"
import { Text } from "../../ui/text"
import { Command, Failure, useAction } from "../../ui/form"

type Apps = Answer<"GET /api/v1/apps">["apps"]
type App = Apps[number]
type Now = Answer<"GET /api/v1/now">
type Used = Answer<"GET /api/v1/usage">["apps"][number]

export const appsPage: Page = { path: "", title: "Apps", view: View, menu: { of: "service", key: "a" } }

const limit = 100

function View() {
  const first = useAsk("GET /api/v1/apps", { query: { limit } })
  const used = useAsk("GET /api/v1/usage", { query: { limit: 1000 } }, { every: 30_000 })
  const now = useAsk("GET /api/v1/now", { query: { limit: 1000 } }, { every: 10_000 })
  return (
    <>
      <div class="head">
        <h1>Apps</h1>
        <May role="operator">
          <a class="button" href="new">
            Create an app
          </a>
        </May>
      </div>
      <Wait asked={first}>{(page) => <List first={page} used={used.data?.apps ?? []} now={now.data} />}</Wait>
      <May role="operator">
        <Nobody />
      </May>
      <Command>{"belfry apps list\nbelfry apps usage"}</Command>
    </>
  )
}

// Nobody tells of clients and backends that name no app, as with a wrong key: they
// are on the page of none.
function Nobody() {
  const asked = useAsk("GET /api/v1/errors", {}, { every: 30_000 })
  const total = asked.data?.errors.reduce((sum, e) => sum + e.total, 0) ?? 0
  if (total === 0) return null
  return (
    <Notice kind="warn">
      <p>
        {counted(total, "time")} in 24 hours, a client or a backend named no app that there is, as with a wrong key. <a href="errors">Errors without an app</a>
      </p>
    </Notice>
  )
}

// List shows the apps that were loaded, a hundred at a time.
function List({ first, used, now }: { first: Answer<"GET /api/v1/apps">; used: Used[]; now: Now | undefined }) {
  const [more, setMore] = useState<{ apps: App[]; next: string | undefined }>({ apps: [], next: first.next })
  const loading = useAction()
  const load = () =>
    loading.run(async () => {
      const page = await call("GET /api/v1/apps", { query: { limit, after: more.next } })
      setMore({ apps: [...more.apps, ...page.apps], next: page.next })
    })
  const all = [...first.apps, ...more.apps.filter((a) => !first.apps.some((f) => f.id === a.id))]
  const wanted = query.value.get("q") ?? ""
  const shown = all.filter((a) => [a.id, a.name, ...a.keys.map((k) => k.key)].some((t) => t.toLowerCase().includes(wanted.toLowerCase())))
  if (all.length === 0) {
    return (
      <Empty>
        <p>No apps yet. An app is a tenant with its own keys, limits and channels.</p>
        <May role="operator">
          <p>
            <a href="new">Create one</a>, or type <code>belfry apps create --name shop</code>.
          </p>
        </May>
      </Empty>
    )
  }
  const usedBy = new Map(used.map((u) => [u.id, u]))
  const nowBy = new Map(now?.apps.map((n) => [n.id, n]))
  return (
    <>
      <p class="filters">
        <label for="filter">Filter</label>
        <input type="search" id="filter" value={wanted} placeholder="id, name or key" onInput={(e) => setQuery({ q: e.currentTarget.value })} />
        <span role="status" class="hint">
          {shown.length === all.length ? counted(all.length, "app") : `${count(shown.length)} of ${counted(all.length, "app")}`}
          {more.next && ", and more"}
        </span>
      </p>
      <Table label="Apps" rows={shown} id={(a) => a.id} columns={columns(usedBy, nowBy)} />
      <Failure problem={loading.problem} />
      {more.next && (
        <p class="actions">
          <button type="button" disabled={loading.busy} onClick={load}>
            Load more
          </button>
        </p>
      )}
      {now && <PartOf nodes={now.nodes} />}
      <p class="hint">Errors are of this hour and the last; peak, events and deliveries of the last 24 hours. In a cluster the peak is the sum of the peaks of the nodes.</p>
    </>
  )
}

function columns(used: Map<string, Used>, now: Map<string, Now["apps"][number]>): Column<App>[] {
  const figure = (key: string, label: string, of: (u: Used) => number): Column<App> => ({
    key,
    label,
    number: true,
    sort: (a) => of(used.get(a.id) ?? none),
    value: (a) => count(of(used.get(a.id) ?? none)),
  })
  const present = (key: string, label: string, of: (n: Now["apps"][number]) => number): Column<App> => ({
    key,
    label,
    number: true,
    sort: (a) => (now.has(a.id) ? of(now.get(a.id)!) : -1),
    value: (a) => (now.has(a.id) ? count(of(now.get(a.id)!)) : undefined),
  })
  return [
    {
      key: "id",
      label: "App",
      sort: (a) => a.id,
      value: (a) => (
        <a href={to("apps/:app", { app: a.id })}>
          <Text value={a.id} />
        </a>
      ),
    },
    { key: "name", label: "Name", sort: (a) => a.name, value: (a) => <Text value={a.name} max={80} /> },
    { key: "source", label: "Source", sort: (a) => a.source, value: (a) => (a.source === "store" ? "made at run time" : "configuration") },
    { key: "state", label: "State", sort: (a) => Number(a.disabled), value: (a) => (a.disabled ? <Badge kind="off">disabled</Badge> : <Badge kind="good">on</Badge>) },
    present("connections", "Connections", (n) => n.connections),
    present("rate", "Events a minute", (n) => n.last_minute.backend_events + n.last_minute.client_events),
    present("errors", "Errors", (n) => n.errors_hour),
    figure("peak", "Peak", (u) => u.peak_connections),
    figure("events", "Events", (u) => u.backend_events + u.client_events),
    figure("deliveries", "Deliveries", (u) => u.deliveries),
  ]
}

const none: Used = { id: "", peak_connections: 0, backend_events: 0, client_events: 0, deliveries: 0, requests: 0 }
