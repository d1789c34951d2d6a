import type { Answer } from "../../api/client"
import type { Connection } from "../../api/schema"
import { useAsk } from "../../api/use"
import type { Page } from "../../shell/page"
import { query, setQuery, to } from "../../shell/router"
import { Command } from "../../ui/form"
import { Choice, counted, Filter, Pages, Snapshot, useRenewal } from "../../ui/list"
import { SocketName, UserName } from "../../ui/names"
import { count, size } from "../../ui/numbers"
import { quoted } from "../../ui/shell"
import { Empty, Wait } from "../../ui/state"
import { type Column, Table } from "../../ui/table"
import { Text } from "../../ui/text"
import { Time } from "../../ui/time"
import { Groups } from "./groups"
import { Unsubscribed } from "./unsubscribed"

export const connectionsPage: Page = { path: "apps/:app/connections", title: "Connections", view: View, menu: { of: "app", key: "t" } }

const limit = 100

// filters are the parameters of the API by which the list is filtered.
export const filters = ["channel", "user", "origin", "library", "transport", "address"] as const

export type Filters = Partial<Record<(typeof filters)[number], string>> & { unsubscribed?: boolean | undefined }

// filtered reports whether a list is not of all connections.
function filtered(given: Filters): boolean {
  return Object.values(given).some((value) => value !== undefined)
}

function View({ params }: { params: Record<string, string> }) {
  const id = params.app!
  const given: Filters = {}
  for (const name of filters) {
    const value = query.value.get(name)
    if (value) given[name] = value
  }
  const unsubscribed = query.value.has("unsubscribed") || undefined
  const by = query.value.get("by")
  return (
    <>
      <h1>Connections</h1>
      <div class="filters fields">
        <Filter name="channel" label="Subscribed to" placeholder="presence-room" search />
        <Filter name="user" label="Signed in as" placeholder="user id" />
        <Filter name="address" label="Address" placeholder="192.0.2.0/24" />
        <Filter name="origin" label="Origin" placeholder="as in the list" />
        <Filter name="library" label="Library" placeholder="js" />
        <Filter name="transport" label="Transport" placeholder="websocket" />
        <Choice
          name="by"
          label="Show"
          choices={[
            ["", "each connection"],
            ["origin", "how many by origin"],
            ["library", "how many by library"],
            ["transport", "how many by transport"],
            ["user", "how many by user"],
            ["node", "how many by node"],
          ]}
        />
      </div>
      <p>
        <label class="choice">
          <input type="checkbox" checked={!!unsubscribed} onChange={(e) => setQuery({ unsubscribed: e.currentTarget.checked ? "1" : "", after: "" })} />
          Only those that are subscribed to nothing and not signed in
        </label>
      </p>
      {unsubscribed && <Unsubscribed />}
      {by ? <Groups app={id} by={by as "origin"} given={{ ...given, unsubscribed }} /> : <Each app={id} given={{ ...given, unsubscribed }} />}
      <Command>{command(id, given, by) + (unsubscribed ? " --unsubscribed" : "")}</Command>
    </>
  )
}

function command(app: string, given: Filters, by: string | null): string {
  const flags = filters.filter((name) => given[name]).map((name) => [name, given[name]!] as const).map(([name, value]) => ` --${name} ${quoted(value)}`)
  return `belfry connections --app ${quoted(app)}${flags.join("")}${by ? ` --by ${quoted(by)}` : ""}`
}

function Each({ app, given }: { app: string; given: Filters }) {
  const after = query.value.get("after") || undefined
  const asked = useAsk("GET /api/v1/apps/{id}/connections", { path: { id: app }, query: { ...given, after, limit } }, useRenewal())
  return (
    <>
      <Snapshot asked={asked} nodes={asked.data?.nodes}>
        {asked.data && counted(asked.data.total, "connection")}
        {filtered(given) && " that fit"}, the newest first.
      </Snapshot>
      <Wait asked={asked}>{(page) => <List app={app} page={page} filtered={filtered(given)} />}</Wait>
    </>
  )
}

function List({ app, page, filtered }: { app: string; page: Answer<"GET /api/v1/apps/{id}/connections">; filtered: boolean }) {
  const connections = page.connections ?? []
  if (connections.length === 0) {
    return (
      <>
        <Empty>
          {filtered || query.value.has("after") ? (
            <p>No connection fits, or there is no more.</p>
          ) : (
            <>
              <p>Nobody is connected. A connection is there while a client, such as a page with pusher-js, has one open.</p>
              <p>
                <a href={to("apps/:app/connect", { app })}>Connect an application</a>, or type <code>belfry subscribe news</code>. If one should be there, look at{" "}
                <a href={to("apps/:app/errors", { app })}>Errors</a>.
              </p>
            </>
          )}
        </Empty>
        <Pages next={undefined} />
      </>
    )
  }
  return (
    <>
      <Table label="Connections" rows={connections} id={(c) => c.socket} columns={columns(app, connections, page.nodes.length)} />
      <Pages next={page.next} />
    </>
  )
}

function columns(app: string, connections: Connection[], nodes: number): Column<Connection>[] {
  const columns: Column<Connection>[] = [
    { key: "socket", label: "Connection", value: (c) => <SocketName app={app} value={c.socket} /> },
    { key: "user", label: "User", value: (c) => (c.user ? <UserName app={app} value={c.user} max={40} /> : undefined) },
    { key: "since", label: "Since", value: (c) => <Time at={c.since} short /> },
    { key: "transport", label: "Transport", whole: true, value: (c) => <Transport connection={c} /> },
    { key: "library", label: "Library", value: (c) => (c.library || c.version ? <Library connection={c} /> : undefined) },
    { key: "origin", label: "Origin", value: (c) => (c.origin ? <Text value={c.origin} max={60} /> : undefined) },
    { key: "address", label: "Address", whole: true, value: (c) => (c.address ? <Text value={c.address} /> : undefined) },
    { key: "subscriptions", label: "Channels", number: true, value: (c) => count(c.subscriptions) },
  ]
  if (connections.some((c) => c.waiting_bytes > 0)) {
    columns.push({ key: "waiting", label: "Waiting", number: true, value: (c) => (c.waiting_bytes > 0 ? size(c.waiting_bytes) : undefined) })
  }
  if (nodes > 1) columns.push({ key: "node", label: "Node", whole: true, value: (c) => <Text value={c.node} max={40} /> })
  return columns
}

// Transport is how a client is connected, and whether it is encrypted.
export function Transport({ connection: c }: { connection: Connection }) {
  return (
    <>
      {c.transport ? <Text value={c.transport} max={40} /> : "unknown"}
      {c.tls ? ", TLS" : ""}
    </>
  )
}

// Library is what the client says that it is.
export function Library({ connection: c }: { connection: Connection }) {
  if (!c.library && !c.version) return <>not named</>
  return (
    <>
      {c.library && <Text value={c.library} max={40} />} {c.version && <Text value={c.version} max={40} />}
      {c.protocol !== undefined && <span class="hint"> protocol {c.protocol}</span>}
    </>
  )
}
