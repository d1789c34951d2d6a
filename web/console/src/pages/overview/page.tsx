import { useEffect, useState } from "preact/hooks"
import { call } from "../../api/client"
import type { App } from "../../api/schema"
import { useAsk } from "../../api/use"
import { may, May } from "../../shell/may"
import { named } from "../../shell/named"
import type { Page } from "../../shell/page"
import { go, to } from "../../shell/router"
import { Confirm } from "../../ui/dialog"
import { Command, Failure, useAction } from "../../ui/form"
import { counted, PartOf } from "../../ui/list"
import { count } from "../../ui/numbers"
import { Badge, Notice, Wait } from "../../ui/state"
import { Code, Text } from "../../ui/text"
import { Time } from "../../ui/time"
import { visible } from "../../ui/visible"
import { ReadOnly } from "./readonly"
import { Trouble } from "./trouble"

export const overviewPage: Page = { path: "apps/:app", title: "Overview", view: View, menu: { of: "app", key: "o" } }

function View({ params }: { params: Record<string, string> }) {
  const id = params.app!
  const asked = useAsk("GET /api/v1/apps/{id}", { path: { id } }, { every: 15_000 })
  return <Wait asked={asked}>{(app) => <Overview app={app} again={asked.again} />}</Wait>
}

function Overview({ app, again }: { app: App; again: () => Promise<void> }) {
  useEffect(() => named(app), [app])
  return (
    <>
      <div class="head">
        <h1>
          <Text value={app.name || app.id} max={80} />
        </h1>
        {app.disabled ? <Badge kind="off">disabled</Badge> : <Badge kind="good">on</Badge>}
      </div>
      <ReadOnly app={app} what="settings" />
      <dl class="facts-list">
        <div>
          <dt>App id</dt>
          <dd>
            <Code value={app.id} />
          </dd>
        </div>
        <div>
          <dt>{app.keys.length === 1 ? "Key" : "Keys"}</dt>
          <dd>
            {app.keys.map((k) => (
              <Code value={k.key} />
            ))}
          </dd>
        </div>
        {app.created && (
          <div>
            <dt>Made</dt>
            <dd>
              <Time at={app.created} />
            </dd>
          </div>
        )}
        {app.updated && (
          <div>
            <dt>Changed last</dt>
            <dd>
              <Time at={app.updated} />
            </dd>
          </div>
        )}
        <div>
          <dt>On</dt>
          <dd>{switches(app)}</dd>
        </div>
      </dl>
      <Now app={app} />
      <Used id={app.id} />
      <Endpoints id={app.id} />
      <Trouble id={app.id} />
      {app.source === "store" && may("app-admin") && <Danger app={app} again={again} />}
      <Command>{`belfry apps show ${app.id}`}</Command>
    </>
  )
}

function switches(app: App) {
  const names: [boolean | undefined, string][] = [
    [app.client_events, "client events"],
    [app.subscription_count, "subscription count"],
    [app.watchlist_events, "watchlist events"],
    [app.authorized_connections, "authorized connections"],
    [app.tls_only, "force TLS"],
  ]
  const on = names.filter(([is]) => is).map(([, name]) => name)
  return (
    <>
      {on.length > 0 ? on.join(", ") : "none of the switches"}
      <May role="app-admin">
        {" "}
        · <a href={to("apps/:app/settings", { app: app.id })}>settings</a>
      </May>
    </>
  )
}

// Now is what the app uses at the moment, on all nodes.
function Now({ app }: { app: App }) {
  const asked = useAsk("GET /api/v1/apps/{id}/now", { path: { id: app.id } }, { every: 5_000 })
  const limit = app.limits.connections
  return (
    <section aria-labelledby="now">
      <h2 id="now">Now</h2>
      <Wait asked={asked}>
        {(now) => (
          <>
            <PartOf nodes={now.nodes} />
            <dl class="figures">
              {(
                [
                  ["Connections", now.connections, "apps/:app/connections", limit ? `${((now.connections / limit) * 100).toFixed(1)} % of ${count(limit)}` : ""],
                  ["Channels", now.channels, "apps/:app/channels", ""],
                  ["Subscriptions", now.subscriptions, "apps/:app/channels", ""],
                  ["Events a minute", now.last_minute.backend_events + now.last_minute.client_events, "apps/:app/usage", "the last full minute"],
                  ["Deliveries a minute", now.last_minute.deliveries, "apps/:app/usage", ""],
                  ["Errors", now.errors_hour, "apps/:app/errors", "this hour and the last"],
                ] as const
              ).map(([label, n, page, note]) => (
                <div key={label}>
                  <dt>{label}</dt>
                  <dd>
                    <a href={to(page, { app: app.id }, page === "apps/:app/usage" ? { range: "1h" } : {})}>{count(n)}</a>
                  </dd>
                  {note && <dd class="hint">{note}</dd>}
                </div>
              ))}
            </dl>
          </>
        )}
      </Wait>
    </section>
  )
}

// Closed says how many connections are closed.
function Closed({ id, code }: { id: string; code: string }) {
  const asked = useAsk("GET /api/v1/apps/{id}/now", { path: { id } }, { every: 5_000 })
  if (!asked.data) return null
  const missing = asked.data.nodes.filter((n) => !n.answered).length
  return (
    <p>
      <strong>{counted(asked.data.connections, "connection")}</strong> {asked.data.connections === 1 ? "is" : "are"} closed with {code}
      {missing > 0 && `, and those of ${counted(missing, "node")} that did not answer`}.
    </p>
  )
}

function Used({ id }: { id: string }) {
  const asked = useAsk("GET /api/v1/apps/{id}/usage", { path: { id } }, { every: 30_000 })
  return (
    <section aria-labelledby="used">
      <h2 id="used">Last 24 hours</h2>
      <Wait asked={asked}>
        {({ total }) => (
          <dl class="figures">
            {(
              [
                ["Peak connections", total.peak_connections],
                ["Backend events", total.backend_events],
                ["Client events", total.client_events],
                ["Deliveries", total.deliveries],
              ] as const
            ).map(([label, n]) => (
              <div>
                <dt>{label}</dt>
                <dd>{count(n)}</dd>
              </div>
            ))}
          </dl>
        )}
      </Wait>
      <p>
        <a href={to("apps/:app/usage", { app: id })}>Usage</a>
      </p>
    </section>
  )
}

function Endpoints({ id }: { id: string }) {
  const asked = useAsk("GET /api/v1/webhooks", { query: { app: id } }, { every: 15_000 })
  const trouble = asked.data?.endpoints.filter((e) => e.state !== "ok") ?? []
  if (trouble.length === 0) return null
  return (
    <Notice kind="bad">
      <p>
        {trouble.length === 1 ? "An endpoint of webhooks does" : `${trouble.length} endpoints of webhooks do`} not take what is sent. <a href={to("apps/:app/webhooks", { app: id })}>Webhooks</a>
      </p>
    </Notice>
  )
}

// typeable is the name of an app, or its id where nobody could type the name.
function typeable(app: App): string {
  return app.name && visible(app.name) === app.name ? app.name : app.id
}

// Danger is what closes connections.
function Danger({ app, again }: { app: App; again: () => Promise<void> }) {
  const [asked, setAsked] = useState<"disable" | "delete">()
  const enabling = useAction()
  const path = { id: app.id }
  const close = () => setAsked(undefined)
  const change = async (disabled: boolean) => {
    await call("PATCH /api/v1/apps/{id}", { path, body: { disabled }, revision: app.revision })
    await again()
  }
  return (
    <section aria-labelledby="danger">
      <h2 id="danger">Disable or delete</h2>
      <p class="actions">
        {app.disabled ? (
          <button type="button" disabled={enabling.busy} onClick={() => void enabling.run(() => change(false))}>
            Enable
          </button>
        ) : (
          <button type="button" class="danger" onClick={() => setAsked("disable")}>
            Disable…
          </button>
        )}
        <May role="operator">
          <button type="button" class="danger" onClick={() => setAsked("delete")}>
            Delete…
          </button>
        </May>
      </p>
      <Failure problem={enabling.problem} />
      {asked === "disable" && (
        <Confirm title="Disable the app" action="Disable" onClose={close} run={() => change(true)}>
          <Closed id={app.id} code="4003" />
          <p>All its connections, on every node, are closed with 4003, and clients do not try again. Backends are refused with 403. Keys, settings and usage stay; it can be enabled again.</p>
        </Confirm>
      )}
      {asked === "delete" && (
        <Confirm
          title="Delete the app"
          action="Delete"
          typed={typeable(app)}
          onClose={close}
          run={async () => {
            await call("DELETE /api/v1/apps/{id}", { path, revision: app.revision })
            go("./")
          }}
        >
          <Closed id={app.id} code="4001" />
          <p>Its connections are closed with 4001, its keys are unknown from then on, and what waits for its endpoints is put aside with what was given up. What it used stays for 31 days. It can not be undone.</p>
        </Confirm>
      )}
    </section>
  )
}
