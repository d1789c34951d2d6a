import { useState } from "preact/hooks"
import { call } from "../../api/client"
import type { App, Webhook } from "../../api/schema"
import { webhookSettings } from "../../api/schema"
import { useAsk } from "../../api/use"
import type { Page } from "../../shell/page"
import { go, to } from "../../shell/router"
import { useTexts } from "../../ui/explained"
import { Failure, Line, Lines, Switch, useAction } from "../../ui/form"
import { Wait } from "../../ui/state"
import { ReadOnly } from "../overview/readonly"
import { eventGroups, spelled } from "./events"

export const endpointPage: Page = { path: "apps/:app/webhooks/:number", title: "Endpoint", view: View, least: "app-admin" }

function View({ params }: { params: Record<string, string> }) {
  const asked = useAsk("GET /api/v1/apps/{id}", { path: { id: params.app! } })
  const number = params.number === "new" ? undefined : Number(params.number) - 1
  return (
    <>
      <h1>{number === undefined ? "Add an endpoint" : "Change an endpoint"}</h1>
      <Wait asked={asked}>
        {(app) =>
          number !== undefined && !app.webhooks[number] ? (
            <p>
              The app has no such endpoint. <a href={to("apps/:app/webhooks", { app: app.id })}>Webhooks</a>
            </p>
          ) : (
            <Form app={app} number={number} />
          )
        }
      </Wait>
    </>
  )
}

const empty: Webhook = { url: "", events: [], batch: true }

// Form has the revision that it was filled with.
function Form({ app: first, number }: { app: App; number: number | undefined }) {
  const [app] = useState(first)
  const [w, setW] = useState<Webhook>(number === undefined ? empty : app.webhooks[number]!)
  const doing = useAction()
  const explained = useTexts("webhook")
  const place = number ?? app.webhooks.length
  const mistake = (name: string) => doing.mistakes[`webhooks[${place}].${name}`]
  const back = to("apps/:app/webhooks", { app: app.id })
  const events = spelled(w.events ?? [])
  const submit = (e: Event) => {
    e.preventDefault()
    void doing.run(async () => {
      const list = [...app.webhooks]
      list[place] = { ...w, events }
      await call("PATCH /api/v1/apps/{id}", { path: { id: app.id }, body: { webhooks: list }, revision: app.revision })
      go(back)
    })
  }
  const list = (name: "channel_prefixes" | "channel_prefixes_except" | "channel_suffixes" | "headers", label: string) => (
    <Lines label={label} hint={`${explained(name)} One a line.`} value={w[name] ?? []} onValue={(v) => setW({ ...w, [name]: v })} mistake={mistake(name)} rows={2} />
  )
  return (
    <form onSubmit={submit}>
      <ReadOnly app={app} what="webhooks" />
      <fieldset disabled={app.source === "configuration"}>
        <legend>Endpoint</legend>
        <Line label="URL" hint={explained("url")} value={w.url} onValue={(url) => setW({ ...w, url })} mistake={mistake("url")} />
        <Line label="Id" hint={explained("id")} value={w.id ?? ""} onValue={(id) => setW({ ...w, id })} mistake={mistake("id")} />
      </fieldset>
      <fieldset disabled={app.source === "configuration"}>
        <legend>Events</legend>
        {mistake("events") && <p class="mistake">{mistake("events")}</p>}
        {eventGroups.map((g) => (
          <div class="choices" role="group" aria-label={g.title} key={g.title}>
            <strong>{g.title}</strong>
            {g.events.map((name) => (
              <label key={name}>
                <input
                  type="checkbox"
                  checked={events.includes(name)}
                  onChange={(e) => setW({ ...w, events: e.currentTarget.checked ? [...events, name] : events.filter((n) => n !== name) })}
                />{" "}
                <code>{name}</code>
              </label>
            ))}
          </div>
        ))}
      </fieldset>
      <fieldset disabled={app.source === "configuration"}>
        <legend>Which channels</legend>
        {list("channel_prefixes", "Only those that begin with")}
        {list("channel_prefixes_except", "Not those that begin with")}
        {list("channel_suffixes", "Only those that end with")}
      </fieldset>
      <fieldset disabled={app.source === "configuration"}>
        <legend>Requests</legend>
        {list("headers", "Headers")}
        <p class="hint">Values are shown as … and are kept as long as the scheme, host, port and user of the URL stay.</p>
        <Switch label="Batch" hint={explained("batch")} value={w.batch !== false} onValue={(batch) => setW({ ...w, batch })} />
      </fieldset>
      <Failure problem={doing.problem} fields={webhookSettings.map((s) => `webhooks[${place}].${s.name}`)} />
      <p class="actions">
        <button type="submit" disabled={doing.busy || app.source === "configuration"}>
          {number === undefined ? "Add" : "Save"}
        </button>
        <a class="button quiet" href={back}>
          Cancel
        </a>
      </p>
    </form>
  )
}
