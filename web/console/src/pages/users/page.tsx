import type { Answer } from "../../api/client"
import type { User } from "../../api/schema"
import { useAsk } from "../../api/use"
import type { Page } from "../../shell/page"
import { query } from "../../shell/router"
import { Command } from "../../ui/form"
import { counted, Filter, Pages, Snapshot, useRenewal } from "../../ui/list"
import { UserName } from "../../ui/names"
import { count } from "../../ui/numbers"
import { quoted } from "../../ui/shell"
import { Badge, Empty, Wait } from "../../ui/state"
import { type Column, Table } from "../../ui/table"

export const usersPage: Page = { path: "apps/:app/users", title: "Users", view: View, menu: { of: "app", key: "p" } }

const limit = 100

function View({ params }: { params: Record<string, string> }) {
  const id = params.app!
  const value = (name: string) => query.value.get(name) || undefined
  const prefix = value("prefix")
  const asked = useAsk("GET /api/v1/apps/{id}/users", { path: { id }, query: { prefix, after: value("after"), limit } }, useRenewal())
  return (
    <>
      <h1>Users</h1>
      <div class="filters fields">
        <Filter name="prefix" label="Id begins with" search />
      </div>
      <Snapshot asked={asked} nodes={asked.data?.nodes}>
        {asked.data && counted(asked.data.users.length, "user")} on this page.
      </Snapshot>
      <Wait asked={asked}>{(page) => <List app={id} page={page} />}</Wait>
      <p class="hint">
        Users who are signed in, and those whom others watch. Members of presence channels who are not signed in stand on the page of their <a href={`apps/${encodeURIComponent(id)}/channels?prefix=presence-`}>channel</a>.
      </p>
      <Command>{`belfry users --app ${quoted(id)}${prefix ? ` --prefix ${quoted(prefix)}` : ""}`}</Command>
    </>
  )
}

function List({ app, page }: { app: string; page: Answer<"GET /api/v1/apps/{id}/users"> }) {
  if (page.users.length === 0) {
    return (
      <>
        <Empty>
          {query.value.has("prefix") || query.value.has("after") ? (
            <p>No user whose id begins so is signed in, or there is no more.</p>
          ) : (
            <p>
              Nobody is signed in. Clients sign in with <code>pusher.signin()</code>, which asks your backend who the user is.
            </p>
          )}
        </Empty>
        <Pages next={undefined} />
      </>
    )
  }
  return (
    <>
      <Table label="Users" rows={page.users} id={(u) => u.id} columns={columns(app)} />
      <Pages next={page.next} />
    </>
  )
}

function columns(app: string): Column<User>[] {
  return [
    { key: "id", label: "User", value: (u) => <UserName app={app} value={u.id} /> },
    { key: "online", label: "State", whole: true, value: (u) => <Online user={u} /> },
    { key: "sockets", label: "Connections", number: true, value: (u) => count(u.sockets) },
    { key: "watchers", label: "Watched by", number: true, value: (u) => (u.watchers > 0 ? counted(u.watchers, "connection") : undefined) },
  ]
}

export function Online({ user }: { user: Pick<User, "online"> }) {
  return user.online ? <Badge kind="good">signed in</Badge> : <Badge kind="off">offline</Badge>
}
