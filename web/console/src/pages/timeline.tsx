import type { Moment as Row } from "../api/schema"
import { useAsk } from "../api/use"
import { to } from "../shell/router"
import { CodeMeaning } from "../ui/code"
import { counted, PartOf } from "../ui/list"
import { ChannelName, SocketName, UserName } from "../ui/names"
import { size } from "../ui/numbers"
import { Empty, Wait } from "../ui/state"
import { Text } from "../ui/text"
import { Moment } from "../ui/time"
import { titled } from "./errors/causes"
import type { Subject } from "./see"

const limit = 50

// Timeline is what the nodes remember of a connection, a channel or a user.
export function Timeline({ app, of }: { app: string; of: Pick<Subject, "channel" | "socket" | "user"> }) {
  const asked = useAsk("GET /api/v1/apps/{id}/timeline", { path: { id: app }, query: { ...of, limit } }, { every: 5_000 })
  return (
    <section aria-labelledby="timeline">
      <h2 id="timeline">Timeline</h2>
      <Wait asked={asked}>
        {({ rows, nodes }) => (
          <>
            <PartOf nodes={nodes} />
            {rows.length === 0 ? (
              <Empty>
                <p>
                  Nothing of it is remembered. Nodes remember what fits into <code>console.journal</code>, and nothing from before they were started.
                </p>
              </Empty>
            ) : (
              <ol class="timeline" aria-label="What happened, the newest first">
                {rows.map((r) => (
                  <li>
                    <Moment at={r.time} />
                    <span>
                      <What app={app} row={r} of={of} />
                    </span>
                  </li>
                ))}
              </ol>
            )}
            {rows.length === limit && <p class="hint">The newest {limit}.</p>}
          </>
        )}
      </Wait>
    </section>
  )
}

// What says what happened, without what the page is about.
function What({ app, row: r, of }: { app: string; row: Row; of: Subject }) {
  const event = r.handed !== undefined
  return (
    <>
      <strong>{titled(r.type)}</strong> {r.channel && !of.channel && <ChannelName app={app} value={r.channel} />} {r.event && <Text value={r.event} max={80} />}{" "}
      {r.socket && !of.socket && <SocketName app={app} value={r.socket} />} {r.user && !of.user && <UserName app={app} value={r.user} max={40} />}{" "}
      {event && `${size(r.size ?? 0)}, handed to ${counted(r.handed!, "socket")} `}
      {r.code !== undefined && r.type !== "disconnection" && (
        <>
          <CodeMeaning code={r.code} />{" "}
        </>
      )}
      {r.detail && <Text value={r.detail} max={300} />}{" "}
      {event && r.event_id && <a href={to("apps/:app/explain", { app }, { event: r.event_id, ...(of.socket ? { socket: of.socket } : of.user ? { user: of.user } : {}) })}>Explain</a>}{" "}
      {r.node && (
        <span class="hint">
          on <Text value={r.node} max={60} />
        </span>
      )}
    </>
  )
}
