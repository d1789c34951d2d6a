import { useState } from "preact/hooks"
import { call } from "../../api/client"
import type { UserDetail } from "../../api/schema"
import { useAsk } from "../../api/use"
import { May } from "../../shell/may"
import type { Page } from "../../shell/page"
import { Confirm } from "../../ui/dialog"
import { Command } from "../../ui/form"
import { counted, Snapshot, useRenewal } from "../../ui/list"
import { ChannelName, SocketName } from "../../ui/names"
import { count } from "../../ui/numbers"
import { argument, quoted } from "../../ui/shell"
import { Empty, Notice, Wait } from "../../ui/state"
import { Table } from "../../ui/table"
import { Code, Text } from "../../ui/text"
import { Time } from "../../ui/time"
import { visible } from "../../ui/visible"
import { See } from "../see"
import { Timeline } from "../timeline"
import { Online } from "./page"

export const userPage: Page = { path: "apps/:app/users/:user", title: "User", view: View }

// shown is how many connections of a user are listed here; there is a list of all.
const shown = 20

function View({ params }: { params: Record<string, string> }) {
  const id = params.app!
  const user = params.user!
  const asked = useAsk("GET /api/v1/apps/{id}/users/{user}", { path: { id, user } }, useRenewal())
  return (
    <>
      <h1>
        <Text value={user} />
      </h1>
      <See app={id} of={{ user }} />
      <Snapshot asked={asked} nodes={asked.data?.nodes} />
      <Wait asked={asked}>{(u) => <Detail app={id} user={u} again={asked.again} />}</Wait>
      <May role="developer">
        <Timeline app={id} of={{ user }} />
      </May>
      <Command>{`belfry users ${argument(user)} --app ${quoted(id)}\nbelfry users ${argument(user)} --app ${quoted(id)} --terminate\nbelfry timeline --app ${quoted(id)} --user ${quoted(user)}`}</Command>
    </>
  )
}

function Detail({ app, user: u, again }: { app: string; user: UserDetail; again: () => Promise<void> }) {
  return (
    <>
      <dl class="facts-list">
        <div>
          <dt>Id</dt>
          <dd>
            <Code value={u.id} />
          </dd>
        </div>
        <div>
          <dt>State</dt>
          <dd>
            <Online user={u} />
          </dd>
        </div>
        <div>
          <dt>Watched by</dt>
          <dd>{u.watchers > 0 ? counted(u.watchers, "connection") : "nobody"}</dd>
        </div>
        <div>
          <dt>Member of</dt>
          <dd>{u.channels.length > 0 ? u.channels.map((c) => <ChannelName app={app} value={c} />) : "no presence channel"}</dd>
        </div>
      </dl>
      <Sockets key={u.sockets} app={app} user={u} />
      <May role="app-admin">
        <Terminate app={app} user={u} again={again} />
      </May>
    </>
  )
}

function Sockets({ app, user: u }: { app: string; user: UserDetail }) {
  const asked = useAsk("GET /api/v1/apps/{id}/connections", { path: { id: app }, query: { user: u.id, limit: shown } }, useRenewal())
  return (
    <section aria-labelledby="sockets">
      <h2 id="sockets">Connections</h2>
      <Wait asked={asked}>
        {({ connections = [], total }) =>
          connections.length === 0 ? (
            <Empty>
              <p>No connection is signed in as this user.</p>
            </Empty>
          ) : (
            <>
              <Table
                label="Connections of the user"
                rows={connections}
                id={(c) => c.socket}
                columns={[
                  { key: "socket", label: "Connection", value: (c) => <SocketName app={app} value={c.socket} /> },
                  { key: "since", label: "Since", value: (c) => <Time at={c.since} short /> },
                  { key: "channels", label: "Channels", number: true, value: (c) => count(c.subscriptions) },
                  { key: "node", label: "Node", whole: true, value: (c) => <Text value={c.node} max={40} /> },
                ]}
              />
              {total > connections.length && <p class="hint">The newest of {count(total)}.</p>}
            </>
          )
        }
      </Wait>
    </section>
  )
}

// typeable is the id of a user, or a word where nobody could type the id.
function typeable(user: string): string {
  return visible(user) === user ? user : "terminate"
}

// Terminate closes all connections of a user, as a backend can.
function Terminate({ app, user: u, again }: { app: string; user: UserDetail; again: () => Promise<void> }) {
  const [asked, setAsked] = useState(false)
  const [done, setDone] = useState(false)
  return (
    <section aria-labelledby="terminate">
      <h2 id="terminate">Close all connections</h2>
      {done && (
        <Notice kind="good">
          <p role="status">All nodes were told to close the connections of this user.</p>
        </Notice>
      )}
      <p class="actions">
        <button type="button" class="danger" onClick={() => setAsked(true)}>
          Terminate…
        </button>
      </p>
      {asked && (
        <Confirm
          title="Terminate all connections of the user"
          action="Terminate"
          typed={typeable(u.id)}
          onClose={() => setAsked(false)}
          run={async () => {
            await call("POST /api/v1/apps/{id}/users/{user}/terminate", { path: { id: app, user: u.id } })
            setDone(true)
            await again()
          }}
        >
          <p>
            {counted(u.sockets, "connection")} of this user, on every node, {u.sockets === 1 ? "is" : "are"} closed with 4009. Libraries do not try again. A page that is loaded anew connects, and is signed in if
            your backend agrees.
          </p>
          <p>
            <code>
              belfry users {argument(u.id)} --app {quoted(app)} --terminate
            </code>
          </p>
        </Confirm>
      )}
    </section>
  )
}
