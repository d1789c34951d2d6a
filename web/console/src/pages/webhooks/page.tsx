import { useState } from "preact/hooks"
import { call } from "../../api/client"
import type { App, Endpoint, Webhook } from "../../api/schema"
import { type Answer } from "../../api/client"
import { useAsk } from "../../api/use"
import { may, May } from "../../shell/may"
import type { Page } from "../../shell/page"
import { node } from "../../shell/reach"
import { to } from "../../shell/router"
import { Confirm } from "../../ui/dialog"
import { Command, Failure, useAction } from "../../ui/form"
import { milliseconds } from "../../ui/numbers"
import { Empty, Notice, Wait } from "../../ui/state"
import { Text } from "../../ui/text"
import { ReadOnly } from "../overview/readonly"
import { Health, OneNode } from "./health"

export const webhooksPage: Page = { path: "apps/:app/webhooks", title: "Webhooks", view: View, menu: { of: "app", key: "w" } }

function View({ params }: { params: Record<string, string> }) {
  const id = params.app!
  const app = useAsk("GET /api/v1/apps/{id}", { path: { id } })
  const state = useAsk("GET /api/v1/webhooks", { query: { app: id } }, { every: 5_000 })
  const again = async () => {
    await app.again()
    await state.again()
  }
  return (
    <>
      <div class="head">
        <h1>Webhooks</h1>
        {app.data?.source === "store" && may("app-admin") && (
          <a class="button" href={to("apps/:app/webhooks/:number", { app: id, number: "new" })}>
            Add an endpoint
          </a>
        )}
      </div>
      <Wait asked={app}>{(a) => <Wait asked={state}>{({ endpoints }) => <List app={a} endpoints={endpoints} again={again} />}</Wait>}</Wait>
      <p>
        <a href={to("apps/:app/deliveries", { app: id })}>Deliveries: what was sent, and what was answered</a>
      </p>
      <May role="developer">
        <p>
          <a href={to("dead-letters", {}, { app: id })}>Dead letters: events that were not delivered</a>
        </p>
      </May>
      <Command>{`belfry webhooks list --app ${id}\nbelfry webhooks add ${id} URL --events channel_occupied,channel_vacated\nbelfry webhooks test ${id}`}</Command>
    </>
  )
}

function List({ app, endpoints, again }: { app: App; endpoints: Endpoint[]; again: () => Promise<void> }) {
  const [remove, setRemove] = useState<number>()
  if (app.webhooks.length === 0) {
    return (
      <>
        <ReadOnly app={app} what="webhooks" />
        <Empty>
          <p>No endpoints yet. An endpoint is told by HTTP what happens in channels: that they become occupied and vacated, who comes and goes, what clients send.</p>
        </Empty>
      </>
    )
  }
  return (
    <>
      <ReadOnly app={app} what="webhooks" />
      <OneNode />
      {app.webhooks.map((w, i) => (
        // The state stands in the order of the settings.
        <One key={w.id || w.url} app={app} number={i} webhook={w} state={endpoints.length === app.webhooks.length ? endpoints[i] : undefined} onRemove={() => setRemove(i)} />
      ))}
      {remove !== undefined && app.webhooks[remove] && (
        <Confirm
          title="Remove an endpoint"
          action="Remove"
          onClose={() => setRemove(undefined)}
          run={async () => {
            await call("PATCH /api/v1/apps/{id}", { path: { id: app.id }, body: { webhooks: app.webhooks.filter((_, i) => i !== remove) }, revision: app.revision })
            await again()
          }}
        >
          <p>
            <Text value={app.webhooks[remove].url} /> is told nothing any more. What waits for it is put aside with what was given up, and can be delivered again when an endpoint of that name is back.
          </p>
        </Confirm>
      )}
    </>
  )
}

interface OneProps {
  app: App
  number: number
  webhook: Webhook
  state: Endpoint | undefined
  onRemove: () => void
}

function One({ app, number, webhook: w, state, onRemove }: OneProps) {
  return (
    <section class="endpoint" aria-label={`Endpoint ${number + 1}`}>
      <h2>
        <Text value={w.url} />
      </h2>
      {state && <Health endpoint={state} />}
      <dl class="facts-list">
        <div>
          <dt>Events</dt>
          <dd>{w.events?.length ? w.events.map((e) => <code class="tag">{e}</code>) : "none: it is told nothing"}</dd>
        </div>
        <Filter label="Only channels that begin with" list={w.channel_prefixes} />
        <Filter label="Not those that begin with" list={w.channel_prefixes_except} />
        <Filter label="Only channels that end with" list={w.channel_suffixes} />
        <Filter label="Headers" list={w.headers} />
        <div>
          <dt>Requests</dt>
          <dd>{w.batch === false ? "one for each event" : "events that happen close together share one"}</dd>
        </div>
      </dl>
      <p class="actions">
        {state && (
          <a class="button quiet" href={to("apps/:app/deliveries", { app: app.id }, { endpoint: state.endpoint })}>
            Deliveries
          </a>
        )}
        {state && may("app-admin") && <Test app={app.id} endpoint={state.endpoint} />}
        {app.source === "store" && may("app-admin") && (
          <>
            <a class="button quiet" href={to("apps/:app/webhooks/:number", { app: app.id, number: String(number + 1) })}>
              Change
            </a>
            <button type="button" class="danger" onClick={onRemove}>
              Remove…
            </button>
          </>
        )}
      </p>
    </section>
  )
}

function Filter({ label, list }: { label: string; list: string[] | undefined }) {
  if (!list?.length) return null
  return (
    <div>
      <dt>{label}</dt>
      <dd>
        {list.map((text) => (
          <code class="tag">
            <Text value={text} />
          </code>
        ))}
      </dd>
    </div>
  )
}

// Test sends one request at once and says what became of it.
function Test({ app, endpoint }: { app: string; endpoint: string }) {
  const [result, setResult] = useState<Answer<"POST /api/v1/webhooks/test">>()
  const doing = useAction()
  const send = () => doing.run(async () => setResult(await call("POST /api/v1/webhooks/test", { body: { app, endpoint } })))
  return (
    <>
      <button type="button" class="quiet" disabled={doing.busy} onClick={() => (setResult(undefined), void send())}>
        {doing.busy ? "Sending…" : "Send a test"}
      </button>
      <Failure problem={doing.problem} />
      {result && (
        <Notice kind={result.delivered ? "good" : "bad"} alert>
          <p>
            {result.delivered ? "It was taken" : "It was not taken"}
            {result.status ? ` with status ${result.status}` : ""}, after {milliseconds(result.took_ms)}{node.value?.clustered ? ", from this node" : ""}.
          </p>
          {result.error && (
            <p>
              <Text value={result.error} />
            </p>
          )}
          {result.reason && result.reason !== result.error && (
            <p>
              <Text value={result.reason} />
            </p>
          )}
        </Notice>
      )}
    </>
  )
}
