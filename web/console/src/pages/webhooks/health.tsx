import type { Endpoint } from "../../api/schema"
import { node } from "../../shell/reach"
import { counted } from "../../ui/list"
import { duration, size } from "../../ui/numbers"
import { Badge, type Kind } from "../../ui/state"
import { Text } from "../../ui/text"
import { Time } from "../../ui/time"

const kinds: Record<Endpoint["state"], Kind> = { ok: "good", failing: "warn", down: "bad" }

const meaning: Record<Endpoint["state"], string> = {
  ok: "ok",
  failing: "failing: the last attempts did not succeed; it is tried again",
  down: "down: it is tried with one request at a time",
}

export function State({ endpoint: e, long = false }: { endpoint: Endpoint; long?: boolean }) {
  return <Badge kind={kinds[e.state]}>{long ? meaning[e.state] : e.state}</Badge>
}

// Health is how an endpoint does.
export function Health({ endpoint: e }: { endpoint: Endpoint }) {
  return (
    <dl class="facts-list">
      <div>
        <dt>State</dt>
        <dd>
          <State endpoint={e} long />
          {e.failures > 0 && ` · ${counted(e.failures, "failure")} in a row`}
        </dd>
      </div>
      <div>
        <dt>Waiting</dt>
        <dd>
          {size(e.queued_bytes)}
          {e.oldest_seconds > 0 && `, the oldest event for ${duration(e.oldest_seconds)}`}
        </dd>
      </div>
      <div>
        <dt>Last success</dt>
        <dd>{e.last_success ? <Time at={e.last_success} /> : "none since the start of the node"}</dd>
      </div>
      {e.last_failure && (
        <div>
          <dt>Last failure</dt>
          <dd>
            <Time at={e.last_failure} />
            {e.failures > 0 && e.last_status ? `, status ${e.last_status}` : ""}
            {e.last_error && e.last_error !== `status ${e.last_status}` && (
              <>
                : <Text value={e.last_error} />
              </>
            )}
          </dd>
        </div>
      )}
    </dl>
  )
}

// OneNode says whose view it is.
export function OneNode() {
  const n = node.value
  if (!n?.clustered) return null
  return (
    <p class="hint">
      This is how <Text value={n.name} max={60} /> sees them. Other nodes deliver what happened on them, and have states of their own.
    </p>
  )
}
