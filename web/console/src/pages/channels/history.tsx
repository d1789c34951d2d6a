import { useState } from "preact/hooks"
import type { Answer } from "../../api/client"
import type { KeptEvent } from "../../api/schema"
import { useAsk } from "../../api/use"
import { SocketName, UserName } from "../../ui/names"
import { Line } from "../../ui/form"
import { counted } from "../../ui/list"
import { size } from "../../ui/numbers"
import { Wait } from "../../ui/state"
import { type Column, Table } from "../../ui/table"
import { Code, Text } from "../../ui/text"
import { Moment } from "../../ui/time"

const limit = 50

// History is what is kept of a channel for clients that come back.
export function History({ app, channel, payloads }: { app: string; channel: string; payloads: boolean }) {
  const [after, setAfter] = useState("")
  const asked = useAsk("GET /api/v1/apps/{id}/channels/{channel}/history", { path: { id: app, channel }, query: { payloads, after, limit } }, after ? {} : { every: 5_000 })
  return (
    <section aria-labelledby="history">
      <h2 id="history">History</h2>
      <Wait asked={asked}>
        {(page) => (
          <>
            {page.events.length === 0 ? <p>No events are kept now.</p> : <Table label="Events that are kept, the newest first" rows={page.events} id={(e) => e.place} columns={columns(app, page.events)} />}
            <p class="actions">
              {after && (
                <button type="button" class="quiet" onClick={() => setAfter("")}>
                  Newest
                </button>
              )}
              {page.more && (
                <button type="button" class="quiet" onClick={() => setAfter(page.position)}>
                  Older
                </button>
              )}
            </p>
            <Returning app={app} channel={channel} />
          </>
        )}
      </Wait>
    </section>
  )
}

const reasons: Record<string, string> = {
  expired: "events behind it are not kept any more",
  unknown: "it names a node that was started anew, or a number that was not reached",
  lost: "events were lost between two nodes",
}

// Returning says what a client gets that comes back with a position.
function Returning({ app, channel }: { app: string; channel: string }) {
  const [position, setPosition] = useState("")
  const after = position.trim()
  const asked = useAsk("GET /api/v1/apps/{id}/channels/{channel}/history", { path: { id: app, channel }, query: { direction: "forwards", after, limit: 1000 } }, { off: !after })
  return (
    <>
      <Line label="What does a client get that comes back from a position?" value={position} onValue={setPosition} hint="As it has it from pusher_internal:subscription_succeeded, belfry:resume or an event." />
      {after && <Wait asked={asked}>{(page) => <p role="status">{verdict(page)}</p>}</Wait>}
    </>
  )
}

function verdict({ reason, events, more, position }: Answer<"GET /api/v1/apps/{id}/channels/{channel}/history">) {
  if (reason) return <strong>Not recovered: {reasons[reason] ?? reason}.</strong>
  return (
    <>
      <strong>Recovered:</strong> {more && "more than "}
      {counted(events.length, "event")}, up to <Code value={position} />
    </>
  )
}

function columns(app: string, events: KeptEvent[]): Column<KeptEvent>[] {
  const columns: Column<KeptEvent>[] = [
    { key: "time", label: "Published", whole: true, value: (e) => <Moment at={e.time} /> },
    { key: "name", label: "Event", value: (e) => <Text value={e.name} max={80} /> },
    { key: "place", label: "Position", value: (e) => <Code value={e.place} /> },
    { key: "bytes", label: "Size", number: true, value: (e) => size(e.bytes) },
  ]
  if (events.some((e) => e.user)) columns.push({ key: "user", label: "From", value: (e) => (e.user ? <UserName app={app} value={e.user} /> : undefined) })
  if (events.some((e) => e.except)) columns.push({ key: "except", label: "But not", value: (e) => (e.except ? <SocketName app={app} value={e.except} /> : undefined) })
  if (events.some((e) => e.data !== undefined)) columns.push({ key: "data", label: "Data", value: (e) => <Code value={typeof e.data === "string" ? e.data : JSON.stringify(e.data)} /> })
  return columns
}
