import { useEffect, useState } from "preact/hooks"
import type { App } from "../../api/schema"
import { useAsk } from "../../api/use"
import type { Finding, Verdict } from "../../diagnostics/messages"
import type { Page } from "../../shell/page"
import { query, setQuery } from "../../shell/router"
import { CodeMeaning } from "../../ui/code"
import { download } from "../../ui/download"
import { Command, Line, Lines, Mistake } from "../../ui/form"
import { duration } from "../../ui/numbers"
import { quoted } from "../../ui/shell"
import { Badge, type Kind, Notice, Wait } from "../../ui/state"
import { Block, Copy, Text } from "../../ui/text"
import { address } from "../address"
import { environment } from "./environment"
import { examine } from "./frame"
import { asJSON, sentence } from "./report"

export const diagnosticsPage: Page = { path: "apps/:app/diagnostics", title: "Diagnostics", view: View, menu: { of: "app", key: "d" } }

function View({ params }: { params: Record<string, string> }) {
  const id = params.app!
  const asked = useAsk("GET /api/v1/apps/{id}", { path: { id } })
  return (
    <>
      <h1>Diagnostics</h1>
      <p>Connects from this browser as an application's page does, with pusher-js, and tries each transport and each kind of channel.</p>
      <Wait asked={asked}>{(app) => <Examination app={app} />}</Wait>
    </>
  )
}

const kinds: Record<Verdict, Kind> = { ok: "good", warning: "warn", failed: "bad", skipped: "off" }

// wrongAddress says why a text can not be where clients connect.
function wrongAddress(text: string): string | undefined {
  try {
    const url = new URL(text)
    if ((url.protocol === "http:" || url.protocol === "https:") && !url.username && !url.search && !url.hash) return undefined
  } catch {
    // said below
  }
  return "An address begins with the scheme, as in //belfry.example behind https:"
}

function Examination({ app }: { app: App }) {
  const guess = address()
  const q = query.value
  const [at, setAt] = useState(q.get("at") || guess)
  const [url, setURL] = useState(q.get("endpoint") ?? "")
  const [channel, setChannel] = useState(q.get("channel") ?? "private-test")
  const [headers, setHeaders] = useState<string[]>([])
  const [checking, setChecking] = useState<string>()
  const [findings, setFindings] = useState<Finding[]>([])
  const [done, setDone] = useState<Date>()
  const [stop, setStop] = useState<() => void>()
  useEffect(() => () => stop?.(), [stop])
  const wrong = wrongAddress(at)
  const wrongEndpoint = url ? wrongAddress(url.split("?")[0]!) : undefined

  const start = (endpointOnly: boolean) => {
    if (wrong || wrongEndpoint) return
    stop?.()
    setQuery({ at: at === guess ? "" : at, endpoint: url, channel: url ? channel : "" })
    setFindings([])
    setDone(undefined)
    setChecking("environment")
    const add = (f: Finding) => setFindings((list) => [...list, f])
    const end = examine({
      app,
      at,
      endpointOnly,
      endpoint: url ? { url, channel, headers: Object.fromEntries(headers.map((h) => [h.slice(0, h.indexOf(":")).trim(), h.slice(h.indexOf(":") + 1).trim()])) } : undefined,
      first: () => environment(app.id),
      checking: setChecking,
      found: add,
      done: () => {
        setChecking(undefined)
        setDone(new Date())
      },
    })
    setStop(() => end)
  }
  return (
    <>
      {app.disabled && (
        <Notice kind="warn">
          <p>The app is disabled, so no client can connect.</p>
        </Notice>
      )}
      <form onSubmit={(e) => (e.preventDefault(), start(false))}>
        <Line label="Address of clients" value={at} onValue={setAt} mistake={wrong} hint="As they reach the service, through whatever is in between." />
        <details open={!!url}>
          <summary>Also the application's own auth endpoint</summary>
          <Line label="Auth endpoint" value={url} onValue={setURL} mistake={wrongEndpoint} hint="What pusher-js asks when it subscribes to a private channel, such as /pusher/auth or /broadcasting/auth, in full." />
          <Line label="Channel" value={channel} onValue={setChannel} hint="One that the endpoint grants. Nothing is subscribed to." />
          <Lines label="Headers" value={headers} onValue={setHeaders} rows={2} hint="One a line, as Authorization: Bearer … They go to the endpoint only, and are kept nowhere." />
          <Mistake id="headers-mistake" text={headers.some((h) => !h.includes(":")) ? "A header is a name, a colon and a value." : undefined} />
        </details>
        <p class="actions">
          <button type="submit" disabled={checking !== undefined || headers.some((h) => !h.includes(":"))}>
            {done ? "Start again" : "Start"}
          </button>
          {url && (
            <button type="button" class="quiet" disabled={checking !== undefined} onClick={() => start(true)}>
              Check the endpoint only
            </button>
          )}
          {checking && (
            <>
              <button
                type="button"
                class="quiet"
                onClick={() => {
                  stop?.()
                  setChecking(undefined)
                }}
              >
                Stop
              </button>
              <span role="status">Checking: {checking}…</span>
            </>
          )}
        </p>
      </form>
      <p class="hint">
        Channels and users of the tests begin with <code>belfry-diagnostics-</code>, and nothing of them stays. An app with webhooks is told of these channels as of all others.
      </p>
      {done && <Summary app={app.id} findings={findings} at={done} />}
      {findings.length > 0 && (
        <section aria-label="Findings">
          {findings.map((f) => (
            <Found finding={f} key={f.check} />
          ))}
        </section>
      )}
      <Command>{`belfry doctor ${quoted(at)} --key ${quoted(app.keys.at(-1)?.key ?? "KEY")} --secret SECRET   # from another machine, without a browser`}</Command>
    </>
  )
}

function Found({ finding: f }: { finding: Finding }) {
  return (
    <section class={`finding ${kinds[f.verdict]}`} aria-label={f.check}>
      <h2>
        <Badge kind={kinds[f.verdict]}>{f.verdict}</Badge> {f.check} <span class="hint">{duration(f.took_ms / 1000)}</span>
      </h2>
      <p>
        <Text value={f.detail} max={1_000} />
      </p>
      {f.code !== undefined && (
        <p>
          <CodeMeaning code={f.code} />
        </p>
      )}
      {f.advice && (
        <p>
          <strong>What to do:</strong> <Text value={f.advice} max={1_000} />
        </p>
      )}
      {f.log.length > 0 && (
        <details>
          <summary>Log of {f.check}</summary>
          <Block label={`Log of ${f.check}`} value={f.log.join("\n")} />
        </details>
      )}
    </section>
  )
}

function Summary({ app, findings, at }: { app: string; findings: Finding[]; at: Date }) {
  const text = asJSON(app, navigator.userAgent, findings, at)
  const bad = findings.some((f) => f.verdict === "failed")
  return (
    <Notice kind={bad ? "bad" : "good"} alert>
      <p>
        <strong>{sentence(findings)}</strong>
      </p>
      <p class="actions">
        <Copy value={text} label="Copy as JSON" />
        <button type="button" class="quiet" onClick={() => download(`diagnostics-${app}.json`, "application/json", text)}>
          Save as a file
        </button>
      </p>
    </Notice>
  )
}
