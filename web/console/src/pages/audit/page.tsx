import { type Answer, call } from "../../api/client"
import { useAsk } from "../../api/use"
import type { Page } from "../../shell/page"
import { query, to } from "../../shell/router"
import { download } from "../../ui/download"
import { Command, Failure, useAction } from "../../ui/form"
import { Filter, Pages, Snapshot, useRenewal } from "../../ui/list"
import { count } from "../../ui/numbers"
import { quoted } from "../../ui/shell"
import { Badge, Empty, Wait } from "../../ui/state"
import { type Column, Table } from "../../ui/table"
import { Text } from "../../ui/text"
import { Time } from "../../ui/time"

export const auditPage: Page = { path: "audit", title: "Audit log", view: View, least: "operator", menu: { of: "service", key: "b", name: "Audit" }, witness: true }

type Entry = Answer<"GET /api/v1/audit">["entries"][number]

const limit = 100

function View() {
  const [app, who, after] = ["app", "who", "after"].map((name) => query.value.get(name) || undefined)
  const exporting = useAction()
  const asked = useAsk("GET /api/v1/audit", { query: { app, who, after, limit } }, useRenewal())
  return (
    <>
      <h1>Audit log</h1>
      <p>Who changed what, logged in, was refused, or looked at what an app sends. Kept for 90 days, as far as there is room.</p>
      <div class="filters fields">
        <Filter name="who" label="Who" placeholder="name of a token, or operator" />
        <Filter name="app" label="App" placeholder="id" />
      </div>
      <Snapshot asked={asked} />
      <p class="actions">
        <button type="button" class="quiet" disabled={exporting.busy} onClick={() => void exporting.run(async () => download("audit.ndjson", "application/x-ndjson", await everything(app, who)))}>
          Export NDJSON
        </button>
      </p>
      <Failure problem={exporting.problem} />
      <Wait asked={asked}>
        {({ entries, next }) => (
          <>
            {entries.length === 0 ? (
              <Empty>
                <p>{next ? "Nothing of that kind on this page." : "Nothing of that kind was written down."}</p>
              </Empty>
            ) : (
              <Table label="Entries" rows={entries} id={(e) => String(e.id)} columns={columns} />
            )}
            <Pages next={next} />
          </>
        )}
      </Wait>
      <Command>{`belfry audit${app ? ` --app ${quoted(app)}` : ""}${who ? ` --who ${quoted(who)}` : ""}`}</Command>
    </>
  )
}

// largest is how much an export has, in characters. What is cut off there says so.
const largest = 50_000_000

// everything is all that fits the filters, a line each, the newest first.
async function everything(app: string | undefined, who: string | undefined): Promise<string> {
  let text = ""
  let after: string | undefined
  do {
    const page = await call("GET /api/v1/audit", { query: { app, who, after, limit: 1000 } })
    text += page.entries.map((e) => JSON.stringify(e) + "\n").join("")
    after = page.next
  } while (after && text.length < largest)
  return after ? `${text}${JSON.stringify({ cut_off: true, next: after })}\n` : text
}

const columns: Column<Entry>[] = [
  { key: "at", label: "Time", value: (e) => <Time at={e.at} short age={false} /> },
  { key: "who", label: "Who", value: (e) => (e.who ? <Text value={e.who} max={64} /> : "not known") },
  { key: "role", label: "Role", value: (e) => e.role },
  { key: "address", label: "From", value: (e) => e.address && <Text value={e.address} max={60} /> },
  { key: "what", label: "What", value: (e) => <What entry={e} /> },
  { key: "outcome", label: "Outcome", value: (e) => (e.status < 400 ? <Badge kind="good">{e.status}</Badge> : <Badge kind="bad">{e.status}</Badge>) },
  { key: "node", label: "Node", value: (e) => <Text value={e.node} max={60} /> },
]

function What({ entry: e }: { entry: Entry }) {
  return (
    <>
      <code>
        <Text value={e.action} />
      </code>
      {e.app && (
        <>
          {" "}
          app{" "}
          <a href={to("apps/:app", { app: e.app })}>
            <Text value={e.app} max={60} />
          </a>
        </>
      )}
      {e.target && (
        <>
          {" "}
          <Text value={e.target} />
        </>
      )}
      {e.detail && (
        <p class="hint">
          <Text value={e.detail} max={1000} />
        </p>
      )}
      {!!e.left_out && <p class="hint">{count(e.left_out)} refusals before it are not written down.</p>}
    </>
  )
}
