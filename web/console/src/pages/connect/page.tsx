import { useState } from "preact/hooks"
import { useAsk } from "../../api/use"
import type { Page } from "../../shell/page"
import { node } from "../../shell/reach"
import { query, setQuery } from "../../shell/router"
import { Line } from "../../ui/form"
import { Wait } from "../../ui/state"
import { Copy, Text } from "../../ui/text"

export const connectPage: Page = { path: "apps/:app/connect", title: "Connect", view: View, menu: { of: "app", key: "n" } }

// guess is the address of clients and backends, as far as it can be known here:
// the host by which this page was reached, and the port of a listener.
function guess(): string {
  const n = node.value!
  const secure = !!n.tls_listen
  const port = /:(\d+)$/.exec(n.tls_listen ?? n.listen ?? "")?.[1] ?? ""
  const host = location.hostname === "belfry.localhost" ? "127.0.0.1" : location.hostname
  return `${secure ? "https" : "http"}://${host}${port ? `:${port}` : ""}${n.path ?? ""}`
}

function View({ params }: { params: Record<string, string> }) {
  const given = query.value.get("at") ?? ""
  const [at, setAt] = useState(given || guess())
  const app = useAsk("GET /api/v1/apps/{id}", { path: { id: params.app! } })
  const asked = useAsk("GET /api/v1/apps/{id}/snippets", { path: { id: params.app! }, query: { url: given || guess() } })
  const submit = (e: Event) => {
    e.preventDefault()
    setQuery({ at: at === guess() ? "" : at })
  }
  return (
    <>
      <h1>Connect</h1>
      <p>Lines for an application. They have the address below, and in place of the secret the word SECRET: it was shown when the key was made.</p>
      <form onSubmit={submit} class="narrow">
        <Line label="Address of clients and backends" value={at} onValue={setAt} hint="As they reach the service: through a proxy or a balancer it is another one than here." />
        <p class="actions">
          <button type="submit" class="quiet">
            Use this address
          </button>
        </p>
      </form>
      {app.data?.tls_only && at.startsWith("http:") && <p class="hint">The app takes clients with TLS only, so the address should begin with https.</p>}
      <Wait asked={asked}>
        {({ snippets }) =>
          snippets.map((s) => (
            <section key={s.title}>
              <div class="head">
                <h2>
                  <Text value={s.title} /> <span class="hint"><Text value={s.file} /></span>
                </h2>
                <Copy value={s.code} />
              </div>
              <pre tabIndex={0} role="group" aria-label={s.title}>
                <code>
                  <Text value={s.code} max={20_000} lines />
                </code>
              </pre>
            </section>
          ))
        }
      </Wait>
    </>
  )
}
