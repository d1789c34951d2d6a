import type { Answer } from "../../api/client"
import type { AppError } from "../../api/schema"
import { useAsk } from "../../api/use"
import type { Page } from "../../shell/page"
import { query, to } from "../../shell/router"
import { Command } from "../../ui/form"
import { Choice, counted, Filter, Snapshot, useRenewal } from "../../ui/list"
import { count } from "../../ui/numbers"
import { quoted } from "../../ui/shell"
import { Spark } from "../../ui/spark"
import { Empty, Wait } from "../../ui/state"
import { type Column, Table } from "../../ui/table"
import { Text } from "../../ui/text"
import { Time } from "../../ui/time"
import { from, keyOf, titled } from "./causes"
import { Example } from "./example"

export const errorsPage: Page = { path: "apps/:app/errors", title: "Errors", view: OfApp, menu: { of: "app", key: "r" } }
export const unknownErrorsPage: Page = { path: "errors", title: "Errors without an app", view: OfNobody, least: "operator", menu: { of: "service", key: "x" } }

type Errors = Answer<"GET /api/v1/errors">

function OfApp({ params }: { params: Record<string, string> }) {
  const id = params.app!
  const asked = useAsk("GET /api/v1/apps/{id}/errors", { path: { id } }, useRenewal())
  return (
    <>
      <h1>Errors</h1>
      <p>What was refused to clients and backends of this app, and what could not be delivered, in the last 24 hours.</p>
      <Filters />
      <Snapshot asked={asked} nodes={asked.data?.nodes}>
        {asked.data && counted(asked.data.errors.length, "cause")}.
      </Snapshot>
      <Wait asked={asked}>{(page) => <List app={id} page={page} />}</Wait>
      <p class="hint">
        Nodes count in memory, since they started. Whoever names a key that no app has stands under <a href="errors">Errors without an app</a>.
      </p>
      <Command>{`belfry errors --app ${quoted(id)}`}</Command>
    </>
  )
}

function OfNobody() {
  const asked = useAsk("GET /api/v1/errors", {}, useRenewal())
  return (
    <>
      <h1>Errors without an app</h1>
      <p>Clients and backends that named no app of this service in the last 24 hours, as with a wrong key or a wrong path.</p>
      <Filters />
      <Snapshot asked={asked} nodes={asked.data?.nodes}>
        {asked.data && counted(asked.data.errors.length, "cause")}.
      </Snapshot>
      <Wait asked={asked}>{(page) => <List page={page} />}</Wait>
      <Command>{"belfry errors --unknown"}</Command>
    </>
  )
}

function Filters() {
  return (
    <div class="filters fields">
      <Filter name="q" label="Filter" placeholder="cause, detail, channel, socket" search />
      <Choice name="from" label="Of" choices={[["", "everybody"], ...Object.entries(from)]} />
    </div>
  )
}

// fits reports whether a row has all that is filtered by.
function fits(e: AppError): boolean {
  const wanted = (query.value.get("q") ?? "").toLowerCase()
  const whose = query.value.get("from")
  if (whose && e.from !== whose) return false
  const { text, channel = "", socket = "", user = "", key = "", origin = "" } = e.example
  return [e.cause, titled(e.cause), e.detail, text, channel, socket, user, key, origin].some((t) => t.toLowerCase().includes(wanted))
}

function List({ app, page }: { app?: string; page: Errors }) {
  const shown = page.errors.filter(fits)
  if (shown.length === 0) {
    return (
      <Empty>
        {page.errors.length > 0 ? (
          <p>None of {counted(page.errors.length, "cause")} fits.</p>
        ) : (
          <p>Nothing went wrong{app ? "" : " without an app"}. What the service refuses, and connections that it has to close, will stand here with what to do about it.</p>
        )}
      </Empty>
    )
  }
  return <Table label="Errors" rows={shown} id={keyOf} columns={columns} unfold={(e) => <Example app={app} error={e} />} />
}

const columns: Column<AppError>[] = [
  {
    key: "cause",
    label: "Cause",
    sort: (e) => e.cause,
    value: (e) => (
      <>
        <strong>{titled(e.cause)}</strong>
        <br />
        <span class="hint">
          <Text value={e.example.text || e.detail} max={100} />
        </span>
      </>
    ),
  },
  { key: "from", label: "Of", sort: (e) => e.from, whole: true, value: (e) => from[e.from] },
  {
    key: "total",
    label: "24 hours",
    sort: (e) => -e.total,
    value: (e) => (
      <>
        <Spark counts={e.counts} what="How often" /> <span class="age">{count(e.total)}</span>
      </>
    ),
  },
  { key: "last", label: "Last", sort: (e) => -Date.parse(e.last), value: (e) => <Time at={e.last} short /> },
  { key: "advice", label: "What to do", value: (e) => (e.advice ? <Text value={e.advice} max={400} /> : undefined) },
]

// link leads to the row of an error.
export function link(app: string, e: AppError): string {
  return to("apps/:app/errors", { app }, { open: keyOf(e) })
}
