import type { Answer } from "../../api/client"
import type { App, ChannelDetail } from "../../api/schema"
import { useAsk } from "../../api/use"
import { may, May } from "../../shell/may"
import type { Page } from "../../shell/page"
import { query, setQuery } from "../../shell/router"
import { Command } from "../../ui/form"
import { counted, Pages, Snapshot, useRenewal } from "../../ui/list"
import { SocketName, UserName } from "../../ui/names"
import { count } from "../../ui/numbers"
import { Empty, Wait } from "../../ui/state"
import { type Column, Table } from "../../ui/table"
import { Block, Code, Text } from "../../ui/text"
import { Time } from "../../ui/time"
import { argument, quoted } from "../../ui/shell"
import { See } from "../see"
import { Timeline } from "../timeline"
import { Cached } from "./cached"
import { History } from "./history"

export const channelPage: Page = { path: "apps/:app/channels/:channel", title: "Channel", view: View }

const limit = 100

type Member = NonNullable<ChannelDetail["members"]>[number]
type Subscriber = Answer<"GET /api/v1/apps/{id}/channels/{channel}">["subscribers"][number]

function View({ params }: { params: Record<string, string> }) {
  const id = params.app!
  const channel = params.channel!
  const payloads = query.value.has("payloads") && may("developer")
  const after = query.value.get("after") || undefined
  const asked = useAsk("GET /api/v1/apps/{id}/channels/{channel}", { path: { id, channel }, query: { payloads, after, limit } }, useRenewal())
  const app = useAsk("GET /api/v1/apps/{id}", { path: { id } })
  return (
    <>
      <h1>
        <Text value={channel} />
      </h1>
      <See app={id} of={{ channel }} />
      <Snapshot asked={asked} nodes={asked.data?.nodes} />
      <Wait asked={asked}>{(c) => <Detail app={id} channel={c} payloads={payloads} />}</Wait>
      <May role="developer">
        {keeps(app.data, channel) && <History app={id} channel={channel} payloads={payloads} />}
        <Timeline app={id} of={{ channel }} />
      </May>
      <Command>{`belfry channels ${argument(channel)} --app ${quoted(id)}\nbelfry subscribe ${argument(channel)}\nbelfry timeline --app ${quoted(id)} --channel ${quoted(channel)}`}</Command>
    </>
  )
}

// keeps reports whether an app has a history of a channel.
function keeps(app: App | undefined, channel: string): boolean {
  const { enabled, channel_prefixes: prefixes = [] } = app?.history ?? {}
  return !!enabled && (prefixes.length === 0 || prefixes.some((p) => channel.startsWith(p)))
}

function Detail({ app, channel: c, payloads }: { app: string; channel: ChannelDetail; payloads: boolean }) {
  return (
    <>
      <dl class="facts-list">
        <div>
          <dt>Name</dt>
          <dd>
            <Code value={c.name} />
          </dd>
        </div>
        <div>
          <dt>Kind</dt>
          <dd>{c.kind}</dd>
        </div>
        <div>
          <dt>Subscriptions</dt>
          <dd>{count(c.subscriptions)}</dd>
        </div>
        {c.users !== undefined && (
          <div>
            <dt>Users</dt>
            <dd>{count(c.users)}</dd>
          </div>
        )}
        <div>
          <dt>Cached event</dt>
          <dd>{c.cached ? <Cached cached={c.cached} /> : c.kind.endsWith("cache") ? "none: new subscribers are told of a cache miss" : "none: it is no cache channel"}</dd>
        </div>
      </dl>
      {(c.members || c.cached) && may("developer") && (
        <p>
          <label class="choice">
            <input type="checkbox" checked={payloads} onChange={(e) => setQuery({ payloads: e.currentTarget.checked ? "1" : "" })} />
            Show what users and events say: user_info, and the data of the cached event
          </label>
        </p>
      )}
      {c.cached?.data !== undefined && <Block label="Data of the cached event" value={c.cached.data} />}
      {c.members && <Members app={app} members={c.members} users={c.users ?? 0} payloads={payloads} />}
      <section aria-labelledby="subscribers">
        <h2 id="subscribers">Subscribers</h2>
        {c.subscribers.length === 0 ? (
          <Empty>
            <p>{query.value.has("after") ? "There is no more." : "Nobody is subscribed now."}</p>
          </Empty>
        ) : (
          <Table label="Subscribers" rows={c.subscribers} id={(s) => s.socket} columns={subscribers(app, c.kind.startsWith("presence"))} />
        )}
        <Pages next={c.next} />
      </section>
    </>
  )
}

function Members({ app, members, users, payloads }: { app: string; members: Member[]; users: number; payloads: boolean }) {
  const columns: Column<Member>[] = [
    { key: "user", label: "User", sort: (m) => m.user, value: (m) => <UserName app={app} value={m.user} /> },
    { key: "here", label: "Connections on this node", number: true, sort: (m) => m.sockets_here, value: (m) => count(m.sockets_here) },
    { key: "nodes", label: "Nodes", number: true, sort: (m) => m.nodes, value: (m) => count(m.nodes) },
  ]
  if (payloads) columns.push({ key: "info", label: "user_info", value: (m) => (m.user_info === undefined ? undefined : <Code value={JSON.stringify(m.user_info)} />) })
  return (
    <section aria-labelledby="members">
      <h2 id="members">Members</h2>
      <Table label="Members" rows={members} id={(m) => m.user} columns={columns} />
      {users > members.length && (
        <p class="hint">
          {counted(members.length, "member")} of {count(users)} are listed.
        </p>
      )}
    </section>
  )
}

function subscribers(app: string, presence: boolean): Column<Subscriber>[] {
  const columns: Column<Subscriber>[] = [
    { key: "socket", label: "Connection", value: (s) => <SocketName app={app} value={s.socket} /> },
    { key: "user", label: "Signed in as", value: (s) => (s.user ? <UserName app={app} value={s.user} /> : undefined) },
    { key: "node", label: "Node", whole: true, value: (s) => <Text value={s.node} max={60} /> },
    { key: "joined", label: "Subscribed", value: (s) => (s.joined ? <Time at={s.joined} short /> : undefined) },
  ]
  if (presence) columns.splice(1, 0, { key: "member", label: "Member", value: (s) => (s.member ? <UserName app={app} value={s.member} /> : undefined) })
  return columns
}
