import { useState } from "preact/hooks"
import { call, Refused } from "../../api/client"
import { useAsk } from "../../api/use"
import { node } from "../../shell/reach"
import { Confirm } from "../../ui/dialog"
import { count } from "../../ui/numbers"
import { Notice, Wait } from "../../ui/state"

// Drain ends this node, and says how far that is.
export function Drain() {
  const [sure, setSure] = useState(false)
  const asked = useAsk("GET /api/v1/drain", {}, { every: 1_000 })
  const name = node.value!.name
  if (asked.problem instanceof Refused && asked.problem.status === 404) return null
  return (
    <section aria-labelledby="drain">
      <h2 id="drain">Drain</h2>
      <Wait asked={asked}>
        {(d) =>
          d.draining ? (
            <Notice kind="warn">
              <p role="status">This node drains and then ends. Connections left: {count(d.connections)}. When it has ended it does not answer any more, unless something starts it again.</p>
            </Notice>
          ) : (
            <p class="actions">
              <button type="button" class="danger" onClick={() => setSure(true)}>
                Drain this node…
              </button>
            </p>
          )
        }
      </Wait>
      {sure && (
        <Confirm
          title="Drain this node"
          action="Drain and end"
          typed={name}
          onClose={() => setSure(false)}
          run={async () => {
            await call("POST /api/v1/drain")
            await asked.again()
          }}
        >
          <p>
            It says that it is not ready, sends its {count(asked.data?.connections ?? 0)} clients elsewhere (4200), hands over what others go on with, and the process ends, as with SIGTERM.
          </p>
        </Confirm>
      )}
    </section>
  )
}
