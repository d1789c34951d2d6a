import { useState } from "preact/hooks"
import { call } from "../../api/client"
import type { ConnectionDetail } from "../../api/schema"
import { useAsk } from "../../api/use"
import { May } from "../../shell/may"
import type { Page } from "../../shell/page"
import { go, to } from "../../shell/router"
import { Confirm } from "../../ui/dialog"
import { Command } from "../../ui/form"
import { ChannelName, UserName } from "../../ui/names"
import { count, duration, size } from "../../ui/numbers"
import { quoted } from "../../ui/shell"
import { Empty, Wait } from "../../ui/state"
import { type Column, Table } from "../../ui/table"
import { Code, Text } from "../../ui/text"
import { Time } from "../../ui/time"
import { See } from "../see"
import { Timeline } from "../timeline"
import { Library, Transport } from "./page"

export const connectionPage: Page = { path: "apps/:app/connections/:socket", title: "Connection", view: View }

type Subscription = ConnectionDetail["channels"][number]

function View({ params }: { params: Record<string, string> }) {
  const id = params.app!
  const socket = params.socket!
  const asked = useAsk("GET /api/v1/apps/{id}/connections/{socket}", { path: { id, socket } }, { every: 5_000 })
  return (
    <>
      <h1>
        <Text value={socket} />
      </h1>
      <See app={id} of={{ socket }} />
      <Wait asked={asked}>{(c) => <Detail app={id} connection={c} />}</Wait>
      <May role="developer">
        <Timeline app={id} of={{ socket }} />
      </May>
      <Command>{`belfry connections ${quoted(socket)} --app ${quoted(id)}\nbelfry connections ${quoted(socket)} --app ${quoted(id)} --close\nbelfry timeline --app ${quoted(id)} --socket ${quoted(socket)}`}</Command>
    </>
  )
}

function Detail({ app, connection: c }: { app: string; connection: ConnectionDetail }) {
  return (
    <>
      <dl class="facts-list">
        <div>
          <dt>Socket id</dt>
          <dd>
            <Code value={c.socket} />
          </dd>
        </div>
        <div>
          <dt>Signed in as</dt>
          <dd>{c.user ? <UserName app={app} value={c.user} /> : "nobody"}</dd>
        </div>
        <div>
          <dt>Since</dt>
          <dd>
            <Time at={c.since} />
          </dd>
        </div>
        <div>
          <dt>Heard last</dt>
          <dd>{duration(c.silent_seconds)} before this was asked</dd>
        </div>
        <div>
          <dt>Waiting for it</dt>
          <dd>{c.waiting_bytes > 0 ? size(c.waiting_bytes) : "nothing"}</dd>
        </div>
        <div>
          <dt>Transport</dt>
          <dd>
            <Transport connection={c} />
            {!c.tls && ", without TLS to this service"}
          </dd>
        </div>
        <div>
          <dt>Library</dt>
          <dd>
            <Library connection={c} />
          </dd>
        </div>
        <div>
          <dt>Origin</dt>
          <dd>{c.origin ? <Code value={c.origin} /> : "none: no page of a browser"}</dd>
        </div>
        <div>
          <dt>Address</dt>
          <dd>{c.address ? <Code value={c.address} /> : "unknown"}</dd>
        </div>
        <div>
          <dt>Node</dt>
          <dd>
            <Text value={c.node} max={60} />
          </dd>
        </div>
      </dl>
      <Subscriptions app={app} connection={c} />
      <May role="app-admin">
        <Close app={app} socket={c.socket} />
      </May>
    </>
  )
}

function Subscriptions({ app, connection: c }: { app: string; connection: ConnectionDetail }) {
  const columns: Column<Subscription>[] = [
    { key: "channel", label: "Channel", sort: (s) => s.channel, value: (s) => <ChannelName app={app} value={s.channel} /> },
    { key: "joined", label: "Since", sort: (s) => s.joined, value: (s) => <Time at={s.joined} short /> },
    { key: "member", label: "Member", value: (s) => (s.member ? <UserName app={app} value={s.member} /> : undefined) },
    { key: "explain", label: "Event missing?", value: (s) => <a href={to("apps/:app/explain", { app }, { channel: s.channel, socket: c.socket })}>Find out why</a> },
  ]
  return (
    <section aria-labelledby="channels">
      <h2 id="channels">Subscriptions</h2>
      {c.channels.length === 0 ? (
        <Empty>
          <p>It is subscribed to nothing. A page that connects and never subscribes may wait for its auth endpoint: look at the network tab of the browser for what that answers.</p>
        </Empty>
      ) : (
        <Table label="Subscriptions" rows={c.channels} id={(s) => s.channel} columns={columns} />
      )}
      {c.subscriptions > c.channels.length && (
        <p class="hint">
          {count(c.channels.length)} of {count(c.subscriptions)} are listed.
        </p>
      )}
    </section>
  )
}

// Close ends a connection, for good or so that the client comes back.
function Close({ app, socket }: { app: string; socket: string }) {
  const [asked, setAsked] = useState<"4009" | "4200">()
  const path = { id: app, socket }
  return (
    <section aria-labelledby="close">
      <h2 id="close">Close it</h2>
      <p class="actions">
        <button type="button" class="danger" onClick={() => setAsked("4200")}>
          Reconnect…
        </button>
        <button type="button" class="danger" onClick={() => setAsked("4009")}>
          Terminate…
        </button>
      </p>
      <p class="hint">A single subscription can not be ended from here: the protocol has no message for it, so the client would go on believing that it is subscribed.</p>
      {asked && (
        <Confirm
          title={asked === "4009" ? "Terminate the connection" : "Make the client reconnect"}
          action={asked === "4009" ? "Terminate" : "Reconnect"}
          typed={socket}
          onClose={() => setAsked(undefined)}
          run={async () => {
            await call("DELETE /api/v1/apps/{id}/connections/{socket}", { path, query: { code: asked } })
            go(to("apps/:app/connections", { app }))
          }}
        >
          {asked === "4009" ? (
            <p>It is closed with 4009, and its library does not try again. The user can load the page again; who shall stay out must not be authorized by your backend.</p>
          ) : (
            <p>It is closed with 4200, and its library connects again at once with another socket id. What is sent meanwhile does not reach it.</p>
          )}
          <p>
            <code>
              belfry connections {socket} --app {quoted(app)} --close{asked === "4200" ? " --reconnect" : ""}
            </code>
          </p>
        </Confirm>
      )}
    </section>
  )
}
