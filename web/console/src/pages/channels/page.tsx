import { useRef } from "preact/hooks"
import type { Answer } from "../../api/client"
import type { Channel } from "../../api/schema"
import { useAsk } from "../../api/use"
import type { Page } from "../../shell/page"
import { query, to } from "../../shell/router"
import { Command } from "../../ui/form"
import { Choice, counted, Filter, Pages, Snapshot, useRenewal } from "../../ui/list"
import { ChannelName } from "../../ui/names"
import { count } from "../../ui/numbers"
import { Empty, Wait } from "../../ui/state"
import { type Column, Table } from "../../ui/table"
import { quoted } from "../../ui/shell"
import { Cached } from "./cached"
import { perMinute, type Seen, type Rates } from "./rate"

export const channelsPage: Page = { path: "apps/:app/channels", title: "Channels", view: View, menu: { of: "app", key: "h" } }

const limit = 100

function View({ params }: { params: Record<string, string> }) {
  const id = params.app!
  const value = (name: string) => query.value.get(name) || undefined
  const prefix = value("prefix")
  const order = value("order") as "subscriptions" | undefined
  const asked = useAsk("GET /api/v1/apps/{id}/channels", { path: { id }, query: { prefix, order, after: value("after"), limit } }, useRenewal())
  const rates = useRates(asked.data)
  return (
    <>
      <h1>Channels</h1>
      <div class="filters fields">
        <Filter name="prefix" label="Name begins with" placeholder="private-" search />
        <Choice name="order" label="Order" choices={[["", "by name"], ["subscriptions", "most subscriptions first"]]} />
      </div>
      <Snapshot asked={asked}>{asked.data && counted(asked.data.channels.length, "channel")} on this page.</Snapshot>
      <Wait asked={asked}>{(page) => <List app={id} page={page} rates={rates} />}</Wait>
      <Command>{`belfry channels --app ${quoted(id)}${prefix ? ` --prefix ${quoted(prefix)}` : ""}${order ? ` --order ${order}` : ""}`}</Command>
    </>
  )
}

function List({ app, page, rates }: { app: string; page: Answer<"GET /api/v1/apps/{id}/channels">; rates: Rates }) {
  if (page.channels.length === 0) {
    const filtered = query.value.has("prefix") || query.value.has("after")
    return (
      <>
        <Empty>
          {filtered ? (
            <p>No channel that somebody is subscribed to begins so, or there is no more.</p>
          ) : (
            <>
              <p>No channels yet. A channel is there while somebody is subscribed to it, or while it has a cached event.</p>
              <p>
                <a href={to("apps/:app/connect", { app })}>Connect an application</a>, or type <code>belfry subscribe news</code>.
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
      <Table label="Channels" rows={page.channels} id={(c) => c.name} columns={columns(app, rates)} />
      <Pages next={page.next} />
      <p class="hint">Channels of all nodes. Messages a minute are counted on the node that answers, between two looks at this list.</p>
    </>
  )
}

function columns(app: string, rates: Rates): Column<Channel>[] {
  return [
    { key: "name", label: "Channel", value: (c) => <ChannelName app={app} value={c.name} /> },
    { key: "kind", label: "Kind", whole: true, value: (c) => c.kind },
    { key: "subscriptions", label: "Subscriptions", number: true, value: (c) => count(c.subscriptions) },
    { key: "users", label: "Users", number: true, value: (c) => (c.users === undefined ? undefined : count(c.users)) },
    { key: "rate", label: "Messages/min", number: true, value: (c) => (rates.has(c.name) ? count(Math.round(rates.get(c.name)!)) : undefined) },
    { key: "cached", label: "Cached event", value: (c) => (c.cached ? <Cached cached={c.cached} /> : undefined) },
  ]
}

// useRates compares each answer with the one before it.
function useRates(page: Answer<"GET /api/v1/apps/{id}/channels"> | undefined): Rates {
  const seen = useRef<{ page: typeof page; before: Seen; rates: Rates }>({ page: undefined, before: new Map(), rates: new Map() })
  if (page && page !== seen.current.page) {
    const { rates, before } = perMinute(seen.current.before, page)
    seen.current = { page, before, rates }
  }
  return seen.current.rates
}
