import { useState } from "preact/hooks"
import { type Answer, call } from "../../api/client"
import type { DeliveryDetail } from "../../api/schema"
import { useAsk } from "../../api/use"
import { may, May } from "../../shell/may"
import type { Page } from "../../shell/page"
import { query, setQuery, to } from "../../shell/router"
import { Command, Failure, useAction } from "../../ui/form"
import { ChannelName } from "../../ui/names"
import { count, milliseconds, size } from "../../ui/numbers"
import { asCurl, type Field, quoted } from "../../ui/shell"
import { Badge, Notice, Wait } from "../../ui/state"
import { Block, Code, Copy, Text } from "../../ui/text"
import { Time } from "../../ui/time"
import { State } from "./page"

export const deliveryPage: Page = { path: "apps/:app/deliveries/:delivery", title: "Delivery", view: View }

type Attempt = DeliveryDetail["tries"][number]

function View({ params }: { params: Record<string, string> }) {
  const id = params.app!
  const delivery = params.delivery!
  const payloads = query.value.has("payloads") && may("developer")
  const asked = useAsk("GET /api/v1/apps/{id}/webhooks/deliveries/{delivery}", { path: { id, delivery }, query: { payloads } })
  const command = `belfry webhooks deliveries ${quoted(delivery)} --app ${quoted(id)}`
  return (
    <>
      <h1>
        Delivery <Text value={delivery} max={60} />
      </h1>
      <p class="actions">
        <a href={to("apps/:app/deliveries", { app: id })}>All deliveries</a>
        <May role="developer"><label class="choice">
          <input type="checkbox" checked={payloads} onChange={(e) => setQuery({ payloads: e.currentTarget.checked ? "1" : "" })} />
          Show what was said, and what was answered
        </label></May>
      </p>
      <Wait asked={asked}>{(d) => <Detail app={id} delivery={d} again={asked.again} />}</Wait>
      <Command>{`${command}\n${command} --redeliver`}</Command>
    </>
  )
}

function Detail({ app, delivery: d, again }: { app: string; delivery: DeliveryDetail; again: () => Promise<void> }) {
  return (
    <>
      <dl class="facts-list">
        <div>
          <dt>State</dt>
          <dd>
            <State delivery={d} />
            {d.state === "dead_letter" && (
              <>
                {" "}
                · <a href={to("dead-letters", {}, { app, endpoint: d.endpoint })}>put it into the queue again</a>
              </>
            )}
            {d.state === "split" && " · the endpoint refused what was in it; its events go on in requests of their own"}
          </dd>
        </div>
        <div>
          <dt>Endpoint</dt>
          <dd>
            <a href={to("apps/:app/deliveries", { app }, { endpoint: d.endpoint })}>
              <Text value={d.endpoint} max={60} />
            </a>{" "}
            <Text value={d.url} />
          </dd>
        </div>
        <div>
          <dt>Sent first</dt>
          <dd>
            <Time at={d.began} />, by <Text value={d.node} max={60} />
          </dd>
        </div>
      </dl>
      <May role="app-admin">
        <Again app={app} delivery={d} again={again} />
      </May>
      <section aria-labelledby="events">
        <h2 id="events">Events</h2>
        <ul>
          {d.events.map((e) => (
            <li>
              <strong>
                <Text value={e.name || "unknown"} />
              </strong>{" "}
              <ChannelName app={app} value={e.channel} />{" "}
              <span class="hint">
                id <Text value={e.id} />
              </span>
            </li>
          ))}
        </ul>
      </section>
      <Tries delivery={d} />
      <section aria-labelledby="request">
        <h2 id="request">Request</h2>
        <Header fields={d.headers} label="Headers of the request" />
        {d.body !== undefined ? (
          <>
            <Block value={d.body} label="Body of the request" />
            <p class="actions">
              <Copy value={asCurl(d.url, d.headers, d.body)} label="Copy as curl" />
            </p>
          </>
        ) : (
          <p class="hint">The body is not shown.</p>
        )}
      </section>
      <Signature delivery={d} />
    </>
  )
}

// Again sends the request once more, and says what became of it.
function Again({ app, delivery: d, again }: { app: string; delivery: DeliveryDetail; again: () => Promise<void> }) {
  const [result, setResult] = useState<Answer<"POST /api/v1/apps/{id}/webhooks/deliveries/{delivery}/redeliver">>()
  const doing = useAction()
  const send = () =>
    doing.run(async () => {
      setResult(await call("POST /api/v1/apps/{id}/webhooks/deliveries/{delivery}/redeliver", { path: { id: app, delivery: d.id }, body: {} }))
      await again()
    })
  return (
    <>
      <p class="actions">
        <button type="button" disabled={doing.busy} onClick={() => (setResult(undefined), void send())}>
          {doing.busy ? "Sending…" : "Send it once more"}
        </button>
        <span class="hint">At once, with the same event ids, a new time and a new signature. It is not tried again.</span>
      </p>
      <Failure problem={doing.problem} />
      {result && (
        <Notice kind={result.error ? "bad" : "good"} alert>
          <p>
            {result.error ? "It was not taken" : "It was taken"}
            {result.status ? ` with status ${result.status}` : ""}, after {milliseconds(result.took_ms)}.
          </p>
          {result.error && (
            <p>
              <Text value={result.error} />
            </p>
          )}
        </Notice>
      )}
    </>
  )
}

function Tries({ delivery: d }: { delivery: DeliveryDetail }) {
  return (
    <section aria-labelledby="attempts">
      <h2 id="attempts">Attempts</h2>
      {d.tries.length === 0 && <p>The first is under way.</p>}
      {d.attempts > d.tries.length && (
        <p class="hint">
          The last {d.tries.length} of {count(d.attempts)} are remembered.
        </p>
      )}
      {d.tries.toReversed().map((t, i) => (
        <One key={t.number} attempt={t} open={i === 0} />
      ))}
    </section>
  )
}

function One({ attempt: t, open }: { attempt: Attempt; open: boolean }) {
  return (
    <div class="event">
      <p>
        <strong>Attempt {t.number}</strong> {t.error ? <Badge kind="bad">{t.status ? `status ${t.status}` : (t.reason ?? "failed")}</Badge> : <Badge kind="good">status {t.status}</Badge>} <Time at={t.at} />, after {milliseconds(t.took_ms)}
        {t.manual && ", asked for by an operator"}
      </p>
      {t.error && (
        <p>
          <Text value={t.error} />
        </p>
      )}
      {t.status !== undefined && (
        <details open={open}>
          <summary>What was answered</summary>
          <Header fields={t.headers ?? []} label={`Headers of the answer to attempt ${t.number}`} />
          {t.answer ? (
            <>
              <Block value={t.answer} label={`Body of the answer to attempt ${t.number}`} />
              {t.answer_cut && <p class="hint">These are its first {size(4096)}.</p>}
            </>
          ) : (
            <p class="hint">{t.answer === undefined ? "The body is not shown." : "It had no body."}</p>
          )}
        </details>
      )}
    </div>
  )
}

function Header({ fields, label }: { fields: Field[]; label: string }) {
  if (fields.length === 0) return null
  return (
    <dl class="facts-list" aria-label={label}>
      {fields.map((f) => (
        <div>
          <dt>
            <Text value={f.name} max={60} />
          </dt>
          <dd>{f.hidden ? <span class="hint">hidden</span> : <Text value={f.value} max={400} />}</dd>
        </div>
      ))}
    </dl>
  )
}

// Signature says step by step how a receiver checks it.
function Signature({ delivery: d }: { delivery: DeliveryDetail }) {
  const of = (name: string) => d.headers.find((f) => f.name.toLowerCase() === name)?.value
  const key = of("x-pusher-key")
  const signature = of("x-pusher-signature")
  if (!key || !signature) return null
  return (
    <section aria-labelledby="signature">
      <h2 id="signature">How the signature is checked</h2>
      <ol class="steps">
        <li>
          Take the secret of the key in <code>X-Pusher-Key</code>: <Code value={key} />
        </li>
        <li>Take the body as it came, byte by byte. What was parsed and written again is something else.</li>
        <li>
          HMAC-SHA256 of the body with that secret, in hexadecimal, is <Code value={signature} />
        </li>
        <li>Compare in constant time, and refuse what is older than you want to accept (<code>time_ms</code>).</li>
      </ol>
      {d.body !== undefined && (
        <p>
          <Code value={`printf %s ${quoted(d.body)} | openssl dgst -sha256 -hmac SECRET`} />
        </p>
      )}
    </section>
  )
}
