import { useAsk } from "../../api/use"
import type { Delivery } from "../../api/schema"
import type { Page } from "../../shell/page"
import { query, to } from "../../shell/router"
import { Command } from "../../ui/form"
import { Choice, counted, Filter, Pages, Snapshot, useRenewal } from "../../ui/list"
import { ChannelName } from "../../ui/names"
import { count, milliseconds } from "../../ui/numbers"
import { quoted } from "../../ui/shell"
import { Badge, Empty, type Kind, Wait } from "../../ui/state"
import { type Column, Table } from "../../ui/table"
import { Text } from "../../ui/text"
import { Time } from "../../ui/time"
import { eventGroups } from "../webhooks/events"

export const deliveriesPage: Page = { path: "apps/:app/deliveries", title: "Deliveries", view: View }

const limit = 100

const states: Record<Delivery["state"], [Kind, string]> = {
  waiting: ["warn", "waiting"],
  delivered: ["good", "delivered"],
  dead_letter: ["bad", "dead letter"],
  split: ["off", "split"],
}

type Filters = { endpoint?: string; state?: Delivery["state"]; event?: string; channel?: string }

function View({ params }: { params: Record<string, string> }) {
  const id = params.app!
  const given: Filters = {}
  for (const name of ["endpoint", "state", "event", "channel"] as const) {
    const value = query.value.get(name)
    if (value) given[name] = value as Delivery["state"]
  }
  const after = query.value.get("after") || undefined
  const asked = useAsk("GET /api/v1/apps/{id}/webhooks/deliveries", { path: { id }, query: { ...given, after, limit } }, useRenewal())
  const flags = Object.entries(given).map(([name, value]) => ` --${name} ${quoted(value)}`)
  return (
    <>
      <h1>Deliveries</h1>
      <p>
        What the endpoints of this app were sent lately. <a href={to("apps/:app/webhooks", { app: id })}>Endpoints</a> ·{" "}
        <a href={to("dead-letters", {}, { app: id })}>What was given up</a>
      </p>
      <div class="filters fields">
        <Filter name="endpoint" label="Endpoint" placeholder="its id" search />
        <Choice name="state" label="State" choices={[["", "any"], ...Object.entries(states).map(([value, [, text]]) => [value, text] as [string, string])]} />
        <Choice name="event" label="Event" choices={[["", "any"], ...eventGroups.flatMap((g) => g.events).map((e) => [e, e] as [string, string])]} />
        <Filter name="channel" label="Channel" placeholder="presence-room" />
      </div>
      <Snapshot asked={asked} nodes={asked.data?.nodes}>
        {asked.data && counted(asked.data.deliveries.length, "request")} on this page, the newest first.
      </Snapshot>
      <Wait asked={asked}>
        {(page) =>
          page.deliveries.length === 0 ? (
            <>
              <Empty>
                {after || Object.keys(given).length > 0 ? (
                  <p>No request fits, or there is no more.</p>
                ) : (
                  <p>
                    Nothing was sent since the nodes started. A request goes out when something happens that an <a href={to("apps/:app/webhooks", { app: id })}>endpoint</a> wants to know. A test of an endpoint is not listed.
                  </p>
                )}
              </Empty>
              <Pages next={undefined} />
            </>
          ) : (
            <>
              <Table label="Deliveries" rows={page.deliveries} id={(d) => d.id} columns={columns(id, page.nodes.length)} />
              <Pages next={page.next} />
            </>
          )
        }
      </Wait>
      <p class="hint">A node remembers the last 1,000 requests to an endpoint, and 8 MiB of all together, while it runs.</p>
      <Command>{`belfry webhooks deliveries --app ${quoted(id)}${flags.join("")}`}</Command>
    </>
  )
}

function columns(app: string, nodes: number): Column<Delivery>[] {
  const columns: Column<Delivery>[] = [
    {
      key: "began",
      label: "Sent",
      whole: true,
      value: (d) => (
        <a href={to("apps/:app/deliveries/:delivery", { app, delivery: d.id })}>
          <Time at={d.began} short age={false} />
        </a>
      ),
    },
    { key: "endpoint", label: "Endpoint", value: (d) => <Text value={d.endpoint} max={60} /> },
    { key: "events", label: "Events", value: (d) => <Events app={app} delivery={d} /> },
    { key: "state", label: "State", whole: true, value: (d) => <State delivery={d} /> },
    { key: "attempts", label: "Attempts", number: true, value: (d) => count(d.attempts) },
    { key: "last", label: "Answer", value: (d) => (d.last ? <Text value={d.last.error || `status ${d.last.status}`} max={100} /> : undefined) },
    { key: "took", label: "Took", number: true, whole: true, value: (d) => (d.last ? milliseconds(d.last.took_ms) : undefined) },
  ]
  if (nodes > 1) columns.push({ key: "node", label: "Node", whole: true, value: (d) => <Text value={d.node} max={40} /> })
  return columns
}

function Events({ app, delivery: d }: { app: string; delivery: Delivery }) {
  const first = d.events[0]
  if (!first) return <>none</>
  return (
    <>
      {first.name || "unknown"} <ChannelName app={app} value={first.channel} max={60} />
      {d.event_count > 1 && ` and ${counted(d.event_count - 1, "other")}`}
    </>
  )
}

// State is what became of a request.
export function State({ delivery: d }: { delivery: Delivery }) {
  const [kind, text] = states[d.state]
  return <Badge kind={kind}>{d.state === "waiting" && !d.last ? "under way" : text}</Badge>
}
