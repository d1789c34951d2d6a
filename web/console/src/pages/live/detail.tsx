import type { ComponentChildren } from "preact"
import type { LiveRow } from "../../api/schema"
import { query, setQuery, to } from "../../shell/router"
import { CodeMeaning } from "../../ui/code"
import { counted } from "../../ui/list"
import { ChannelName, SocketName, UserName } from "../../ui/names"
import { count, duration, size } from "../../ui/numbers"
import { Block, Code, Copy, Text } from "../../ui/text"
import { Time } from "../../ui/time"
import { titled } from "../errors/causes"
import { sendAgain } from "../events/page"
import type { Entry } from "./log"
import { Tree } from "./tree"
import { groups, type Type } from "./words"

// Detail is all that is known of one row.
export function Detail({ app, entry, close }: { app: string; entry: Entry; close: () => void }) {
  const r = entry.row as LiveRow
  return (
    <section class="row-detail" aria-labelledby="row">
      <div class="head">
        <h2 id="row">{titled(r.type)}</h2>
        <button type="button" class="quiet" onClick={close}>
          Close
        </button>
      </div>
      <dl class="facts-list">
        {facts(app, r).map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <p class="actions">
        <Explain app={app} row={r} />
        {groups[r.type as Type] === "Trouble" && <a href={to("apps/:app/errors", { app })}>What to do about it</a>}
        {(["channel", "event", "socket", "user"] as const).map((name) => r[name] && r[name] !== query.value.get(name) && !webhook(r) && (
          <button type="button" class="quiet" onClick={() => setQuery({ [name]: r[name]!, open: "" }, "push")}>
            Only this {name === "socket" ? "connection" : name}
          </button>
        ))}
        {r.type === "api_message" && r.data !== undefined && (
          <button type="button" class="quiet" onClick={() => sendAgain(app, { channel: r.channel!, name: r.event!, data: r.data!, except: r.except ?? "" })}>
            Send again…
          </button>
        )}
        <Copy value={JSON.stringify(r, null, 2)} label="Copy row" />
      </p>
      {r.data !== undefined && <Data text={r.data} />}
    </section>
  )
}

// webhook reports whether a row is of a request to an endpoint, which is what its
// event names.
const webhook = (r: LiveRow) => r.type === "webhook_sent" || r.type === "webhook_failed"

// Explain leads to why somebody did not get the event of a row, or what became of
// the connection.
function Explain({ app, row: r }: { app: string; row: LiveRow }) {
  if (r.event_id) {
    return (
      <a data-explain href={to("apps/:app/explain", { app }, { event: r.event_id })}>
        Explain this event
      </a>
    )
  }
  if (!r.channel || webhook(r)) return null
  return (
    <a data-explain href={to("apps/:app/explain", { app }, { channel: r.channel, socket: r.socket ?? "", user: r.socket ? "" : (r.user ?? "") })}>
      Explain a missing event
    </a>
  )
}

type Fact = [name: string, value: ComponentChildren]

function facts(app: string, r: LiveRow): Fact[] {
  const list: (Fact | false | undefined | "" | 0)[] = [
    r.time !== undefined && ["Time", <Time at={r.time} />],
    r.channel && ["Channel", <ChannelName app={app} value={r.channel} />],
    r.event && [webhook(r) ? "Endpoint" : "Event", <Code value={r.event} />],
    r.socket && ["Connection", <SocketName app={app} value={r.socket} />],
    r.user && ["User", <UserName app={app} value={r.user} />],
    r.code !== undefined && ["Code", <CodeMeaning code={r.code} />],
    r.detail && ["Detail", <Text value={r.detail} max={1000} />],
    r.here !== undefined && ["Subscribers", `${count(r.here)} here${r.elsewhere !== undefined ? `, ${count(r.elsewhere)} on other nodes` : ""}`],
    r.except && ["But not", <SocketName app={app} value={r.except} />],
    r.closed_by && ["Closed by", `the ${r.closed_by}`],
    r.lasted !== undefined && ["Lasted", duration(r.lasted)],
    r.waiting && ["Waited for it", size(r.waiting)],
    r.channel_count !== undefined && ["Channels", <Channels app={app} row={r} />],
    ...client(r),
    r.node && ["Node", <Text value={r.node} />],
    r.event_id && ["Id of the event", <Code value={r.event_id} />],
    r.size !== undefined && ["Size", `${size(r.size)} as JSON`],
    r.no_data && ["Data", <>not shown: <Text value={r.no_data} /></>],
    r.hash && ["Hash", <><Code value={r.hash} /> <span class="hint">is the same for the same data</span></>],
  ]
  return list.filter((f): f is Fact => !!f)
}

// client are facts about who connects.
function client(r: LiveRow): (Fact | false | undefined | "")[] {
  const c = r.client
  if (!c) return []
  return [
    ["Transport", <><Text value={c.transport || "unknown"} />{c.tls ? ", TLS" : ", without TLS to this service"}</>],
    c.library && ["Library", <Text value={c.library} />],
    c.origin && ["Origin", <Text value={c.origin} />],
    c.address && ["Address", <Code value={c.address} />],
    c.key && ["Key", <Code value={c.key} />],
  ]
}

function Channels({ app, row: r }: { app: string; row: LiveRow }) {
  const named = r.channels ?? []
  if (r.channel_count === 0) return <>none</>
  return (
    <>
      {named.map((name) => (
        <>
          <ChannelName app={app} value={name} />{" "}
        </>
      ))}
      {r.channel_count! > named.length && `and ${counted(r.channel_count! - named.length, "other")}`}
    </>
  )
}

// Data are those of an event: as a tree where they are JSON, and as they were sent.
function Data({ text }: { text: string }) {
  const value = parsed(text)
  return (
    <section aria-labelledby="row-data">
      <h3 id="row-data">Data</h3>
      {value !== undefined && <Tree value={value} />}
      {value !== undefined ? (
        <details>
          <summary>As they were sent</summary>
          <Block value={text} label="Data as they were sent" />
        </details>
      ) : (
        <Block value={text} label="Data" />
      )}
    </section>
  )
}

// parsed is the object or list that a text is the JSON of.
function parsed(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === "object" && value !== null ? value : undefined
  } catch {
    return undefined
  }
}
