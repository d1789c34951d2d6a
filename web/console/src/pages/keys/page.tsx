import { useState } from "preact/hooks"
import { call } from "../../api/client"
import type { App, Key } from "../../api/schema"
import { useAsk } from "../../api/use"
import { may } from "../../shell/may"
import type { Page } from "../../shell/page"
import { Confirm } from "../../ui/dialog"
import { Command, Failure, useAction } from "../../ui/form"
import { PartOf } from "../../ui/list"
import { count } from "../../ui/numbers"
import { Badge, Wait } from "../../ui/state"
import { type Column, Table } from "../../ui/table"
import { Code, Text } from "../../ui/text"
import { Time } from "../../ui/time"
import { Falling, LastUse, Users } from "./uses"
import { visible } from "../../ui/visible"
import { ReadOnly } from "../overview/readonly"
import { Pair } from "./pair"

export const keysPage: Page = { path: "apps/:app/keys", title: "Keys", view: View, menu: { of: "app", key: "k" } }

const maxKeys = 10

function View({ params }: { params: Record<string, string> }) {
  const id = params.app!
  const asked = useAsk("GET /api/v1/apps/{id}", { path: { id } })
  return (
    <>
      <h1>Keys</h1>
      <Wait asked={asked}>{(app) => <Keys app={app} again={asked.again} />}</Wait>
      <Command>{`belfry apps rotate ${id}\nbelfry apps keys ${id}\nbelfry apps revoke ${id} KEY`}</Command>
    </>
  )
}

function Keys({ app, again }: { app: App; again: () => Promise<void> }) {
  const [made, setMade] = useState<Key>()
  const [revoke, setRevoke] = useState<Key>()
  const adding = useAction()
  const uses = useAsk("GET /api/v1/apps/{id}/key-uses", { path: { id: app.id } }, { every: 5_000 })
  const useOf = (k: Key) => uses.data?.keys.find((u) => u.key === k.key)
  const add = () =>
    adding.run(async () => {
      setMade(await call("POST /api/v1/apps/{id}/keys", { path: { id: app.id }, revision: app.revision }))
      await again()
    })
  const fixed = app.source === "configuration" || !may("app-admin")
  const newest = app.keys.at(-1)!
  const columns: Column<Key>[] = [
    { key: "key", label: "Key", value: (k) => <Code value={k.key} /> },
    { key: "age", label: "Made", value: (k) => (k.created ? <Time at={k.created} /> : "in the configuration, or brought along") },
    { key: "use", label: "Use", value: (k) => (k === app.keys[0] ? <Badge kind="good">valid, signs webhooks</Badge> : <Badge kind="good">valid</Badge>) },
  ]
  columns.push(
    { key: "last", label: "Used last", value: (k) => <LastUse use={useOf(k)} /> },
    { key: "hour", label: "In the last hour", number: true, value: (k) => (useOf(k) ? count(useOf(k)!.last_hour) : undefined) },
  )
  if (!fixed) {
    columns.push({
      key: "revoke",
      label: "Revoke",
      value: (k) => (
        <button type="button" class="danger" disabled={app.keys.length === 1} title={app.keys.length === 1 ? "The last key can not be revoked" : undefined} onClick={() => setRevoke(k)}>
          Revoke<span class="unseen"> {visible(k.key)}</span>
        </button>
      ),
    })
  }
  return (
    <>
      <ReadOnly app={app} what="keys" />
      <p>Every pair is valid. The oldest signs webhooks, so receivers must know it until it is revoked.</p>
      {made && <Pair pair={made} />}
      {uses.data && <PartOf nodes={uses.data.nodes} />}
      <Table label="Keys" rows={app.keys} id={(k) => k.key} columns={columns} unfold={(k) => <Users use={useOf(k)} />} />
      <p class="hint">Uses are counted in the memory of each node, since it started: requests of backends, connections of clients, and signatures that let clients subscribe or sign in.</p>
      {app.keys.length === 1 && <p class="hint">The last key can not be revoked: add another first, or disable or delete the app.</p>}
      {!fixed && (
        <>
          <h2>Exchange a key</h2>
          <ol class="steps">
            <li>
              <button type="button" disabled={adding.busy || app.keys.length >= maxKeys} onClick={add}>
                Add a key
              </button>
              {app.keys.length >= maxKeys && <span class="hint"> An app has at most {maxKeys}.</span>}
              <Failure problem={adding.problem} />
            </li>
            <li>
              Give <code><Text value={newest.key} /></code> and its secret to the backends, then the key to the clients, and to whoever checks webhooks both.
            </li>
            <li>
              Watch the use of the old key fall{app.keys.length > 1 && <>: <Falling use={useOf(app.keys[0]!)} /></>}. Who still uses it stands in its details.
            </li>
            <li>Revoke the old key when nobody uses it any more. Clients that are connected with it stay connected.</li>
          </ol>
        </>
      )}
      {revoke && (
        <Confirm
          title="Revoke a key"
          action="Revoke"
          typed={revoke.key}
          onClose={() => setRevoke(undefined)}
          run={async () => {
            await call("DELETE /api/v1/apps/{id}/keys/{key}", { path: { id: app.id, key: revoke.key }, revision: app.revision })
            if (made?.key === revoke.key) setMade(undefined)
            await again()
          }}
        >
          <p>
            It was used last: <LastUse use={useOf(revoke)} />. <Falling use={useOf(revoke)} />
          </p>
          <p>From then on, at once and on every node:</p>
          <ul>
            <li>backends that sign with its secret are refused (401),</li>
            <li>clients can not connect with it any more (4001), and what its secret has signed authorizes no subscription,</li>
            <li>clients that are connected with it stay connected,</li>
            {revoke === app.keys[0] && <li>webhooks are signed with the next oldest key.</li>}
          </ul>
        </Confirm>
      )}
    </>
  )
}
