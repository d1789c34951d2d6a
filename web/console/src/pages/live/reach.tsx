import { useEffect, useState } from "preact/hooks"
import { call } from "../../api/client"
import { says } from "../../api/use"
import type { Finding } from "../../diagnostics/messages"
import { to } from "../../shell/router"
import { Notice } from "../../ui/state"
import { Text } from "../../ui/text"
import { address } from "../address"
import { examine } from "../diagnostics/frame"

// Reach finds out whether this browser connects as a client does. That is a connection
// of the app like any other, so it is made when somebody asks for it.
export function Reach({ app }: { app: string }) {
  const [stop, setStop] = useState<() => void>()
  const [found, setFound] = useState<Finding>()
  useEffect(() => () => stop?.(), [stop])
  const at = address()
  const check = async () => {
    setFound(undefined)
    setStop(() => () => {})
    try {
      const whole = await call("GET /api/v1/apps/{id}", { path: { id: app } })
      const end = examine({ app: whole, at, endpoint: undefined, endpointOnly: true, found: setFound, done: () => setStop(undefined) })
      setStop(() => end)
    } catch (e) {
      setFound({ check: "connection", verdict: "failed", detail: says(e), took_ms: 0, log: [] })
      setStop(undefined)
    }
  }
  const bad = found && found.verdict !== "ok"
  return (
    <>
      <p class="actions">
        <button type="button" class="quiet" disabled={!!stop} onClick={() => void check()}>
          {stop ? "Connecting…" : "Connect as a client"}
        </button>
        <span class="hint" role="status">
          {found && !bad ? (
            <>
              This browser connects as a client to {at}: <Text value={found.detail} />
            </>
          ) : (
            "tries with pusher-js whether this browser reaches the address of clients."
          )}
        </span>
      </p>
      {bad && (
        <Notice kind="bad" alert>
          <p>
            This browser does not connect as a client to {at}: <Text value={found.detail} max={400} /> <Text value={found.advice ?? ""} max={400} />
          </p>
          <p>
            <a href={to("apps/:app/diagnostics", { app })}>Diagnostics</a> tries everything.
          </p>
        </Notice>
      )}
    </>
  )
}
