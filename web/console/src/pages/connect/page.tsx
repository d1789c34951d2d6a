import { useState } from "preact/hooks"
import { useAsk } from "../../api/use"
import type { Page } from "../../shell/page"
import { query, setQuery } from "../../shell/router"
import { Line } from "../../ui/form"
import { Wait } from "../../ui/state"
import { Copy, Text } from "../../ui/text"
import { address } from "../address"

export const connectPage: Page = { path: "apps/:app/connect", title: "Connect", view: View, menu: { of: "app", key: "n" } }

function View({ params }: { params: Record<string, string> }) {
  const given = query.value.get("at") ?? ""
  const [at, setAt] = useState(given || address())
  const app = useAsk("GET /api/v1/apps/{id}", { path: { id: params.app! } })
  const asked = useAsk("GET /api/v1/apps/{id}/snippets", { path: { id: params.app! }, query: { url: given || address() } })
  const submit = (e: Event) => {
    e.preventDefault()
    setQuery({ at: at === address() ? "" : at })
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
