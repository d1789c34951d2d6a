import { useState } from "preact/hooks"
import { type Answer, call } from "../../api/client"
import type { DeadLetter } from "../../api/schema"
import { useAsk } from "../../api/use"
import { May, seen } from "../../shell/may"
import type { Page } from "../../shell/page"
import { query, setQuery, to } from "../../shell/router"
import { Confirm } from "../../ui/dialog"
import { Command, Failure, useAction } from "../../ui/form"
import { count } from "../../ui/numbers"
import { Empty, Notice, Wait } from "../../ui/state"
import { type Column, Table } from "../../ui/table"
import { Json, Text } from "../../ui/text"
import { Time } from "../../ui/time"

export const deadLettersPage: Page = { path: "dead-letters", title: "Dead letters", view: View, least: "developer", menu: { of: "service", key: "v", name: "Dead letters" } }

const reasons: Record<DeadLetter["reason"], string> = {
  exhausted: "every attempt failed",
  down: "the endpoint was down",
  overflow: "too much waited",
  removed: "the endpoint is gone",
}

type Scope = { app?: string; endpoint?: string }

// limit is how many are listed at a time, and maxReplay how many can be put
// into the queue in one call.
const limit = 100
const maxReplay = 1000

function View() {
  const scope: Scope = { app: query.value.get("app") || seen()?.[0], endpoint: query.value.get("endpoint") || undefined }
  const after = query.value.get("after") || undefined
  const asked = useAsk("GET /api/v1/webhooks/dead-letters", { query: { ...scope, after, limit } })
  return (
    <>
      <h1>Given up</h1>
      <p>Events that no endpoint took, the oldest first. They are kept for a week, as far as there is room, and can be delivered again.</p>
      <Scope scope={scope} />
      <Wait asked={asked}>{(page) => <List page={page} scope={scope} after={after} again={asked.again} />}</Wait>
      <Command>{`belfry webhooks list --dead-letters${scope.app ? ` --app ${scope.app}` : ""}\nbelfry webhooks replay ID\nbelfry webhooks replay --all`}</Command>
    </>
  )
}

// Scope says of what only is told, and takes it away.
function Scope({ scope }: { scope: Scope }) {
  if (!scope.app && !scope.endpoint) return null
  return (
    <p class="filters">
      Only {scope.app && <>of the app <code><Text value={scope.app} /></code></>} {scope.endpoint && <>for the endpoint <code><Text value={scope.endpoint} /></code></>}
      {seen() ? (
        seen()!.map((id) => (
          <button type="button" class="quiet" key={id} onClick={() => setQuery({ app: id, endpoint: "", after: "" })}>
            Show <Text value={id} />
          </button>
        ))
      ) : (
        <button type="button" class="quiet" onClick={() => setQuery({ app: "", endpoint: "", after: "" })}>
          Show all
        </button>
      )}
    </p>
  )
}

interface ListProps {
  page: Answer<"GET /api/v1/webhooks/dead-letters">
  scope: Scope
  after: string | undefined
  again: () => Promise<void>
}

function List({ page, scope, after, again }: ListProps) {
  const [chosen, setChosen] = useState<number[]>([])
  const [all, setAll] = useState<Count>()
  const [said, setSaid] = useState<string>()
  const doing = useAction()
  const here = page.dead_letters
  const replay = (ids: number[]) =>
    doing.run(async () => {
      setSaid(tell([await call("POST /api/v1/webhooks/replay", { body: { ids } })]))
      setChosen([])
      await again()
    })
  if (here.length === 0) {
    return (
      <>
        {said && <Said text={said} />}
        <Empty>
          <p>{after ? "There is no more." : "Nothing was given up."}</p>
        </Empty>
      </>
    )
  }
  return (
    <>
      {said && <Said text={said} />}
      <May role="app-admin">
      <p class="actions">
        <button type="button" disabled={doing.busy || chosen.length === 0} onClick={() => void replay(chosen)}>
          Deliver {count(chosen.length)} chosen again
        </button>
        <button type="button" class="quiet" disabled={doing.busy} onClick={() => void doing.run(async () => setAll(await counted(scope)))}>
          Deliver all again…
        </button>
        <button type="button" class="quiet" onClick={() => setChosen(chosen.length === here.length ? [] : here.map((g) => g.id))}>
          {chosen.length === here.length ? "Choose none" : "Choose all of this page"}
        </button>
      </p>
      </May>
      <Failure problem={doing.problem} />
      <Table label="Dead letters" rows={here} id={(g) => String(g.id)} columns={columns(chosen, setChosen)} unfold={(g) => <Events letter={g} replay={() => void replay([g.id])} />} />
      {page.next && (
        <p class="actions">
          <button type="button" onClick={() => setQuery({ after: page.next!, open: "" }, "push")}>
            Next
          </button>
        </p>
      )}
      {all && (
        <Confirm
          title="Deliver all again"
          action="Deliver again"
          onClose={() => setAll(undefined)}
          run={async () => {
            setSaid(tell(await replayAll(scope)))
            await again()
          }}
        >
          <p>
            {all.more ? "More than " : ""}
            {count(all.number)} requests with {all.more ? "more than " : ""}
            {count(all.events)} events {scope.app ? "of this app " : ""}are put into the queues of their endpoints. What belongs to an endpoint that is gone stays here.
          </p>
        </Confirm>
      )}
    </>
  )
}

function Said({ text }: { text: string }) {
  return (
    <Notice kind="good">
      <p role="status">{text}</p>
    </Notice>
  )
}

type Replayed = Answer<"POST /api/v1/webhooks/replay">

// tell says what became of a replay, which may have taken several calls.
function tell(answers: Replayed[]): string {
  const sum = (of: (r: Replayed) => number) => answers.reduce((n, r) => n + of(r), 0)
  const skipped = sum((r) => r.skipped?.length ?? 0)
  const missing = sum((r) => r.missing?.length ?? 0)
  return [
    `${count(sum((r) => r.replayed))} requests with ${count(sum((r) => r.events))} events wait for delivery again.`,
    skipped > 0 ? `${count(skipped)} stay, because their endpoint is gone.` : "",
    missing > 0 ? `${count(missing)} were not there any more.` : "",
  ].join(" ")
}

interface Count {
  number: number
  events: number
  more: boolean
}

// counted looks how much there is, up to what one look shows.
async function counted(scope: Scope): Promise<Count> {
  const page = await call("GET /api/v1/webhooks/dead-letters", { query: { ...scope, limit: maxReplay } })
  return { number: page.dead_letters.length, events: page.dead_letters.reduce((n, g) => n + g.events.length, 0), more: !!page.next }
}

async function replayAll(scope: Scope): Promise<Replayed[]> {
  const answers: Replayed[] = []
  for (let after: string | undefined; ; ) {
    const answer: Replayed = await call("POST /api/v1/webhooks/replay", { body: { ...scope, after } })
    answers.push(answer)
    if (!answer.more || !answer.next || answer.next === after) return answers
    after = answer.next
  }
}

function columns(chosen: number[], choose: (ids: number[]) => void): Column<DeadLetter>[] {
  return [
    {
      key: "choose",
      label: "Choose",
      value: (g) => (
        <input
          type="checkbox"
          aria-label={`Choose ${g.id}`}
          checked={chosen.includes(g.id)}
          onChange={(e) => choose(e.currentTarget.checked ? [...chosen, g.id] : chosen.filter((id) => id !== g.id))}
        />
      ),
    },
    { key: "at", label: "When", sort: (g) => g.id, value: (g) => <Time at={g.at} /> },
    {
      key: "app",
      label: "App",
      sort: (g) => g.app,
      value: (g) => (
        <a href={to("apps/:app/webhooks", { app: g.app })}>
          <Text value={g.app} />
        </a>
      ),
    },
    {
      key: "endpoint",
      label: "Endpoint",
      sort: (g) => g.endpoint,
      value: (g) => (
        <button type="button" class="link" onClick={() => setQuery({ app: g.app, endpoint: g.endpoint, after: "" })}>
          <Text value={g.endpoint} max={60} />
          {g.host && (
            <span class="hint">
              {" "}
              <Text value={g.host} max={80} />
            </span>
          )}
        </button>
      ),
    },
    { key: "reason", label: "Reason", sort: (g) => g.reason, value: (g) => reasons[g.reason] },
    { key: "error", label: "Last error", value: (g) => (g.error ? <Text value={g.error} max={120} /> : g.status ? `status ${g.status}` : "–") },
    { key: "attempts", label: "Attempts", number: true, sort: (g) => g.attempts, value: (g) => count(g.attempts) },
    { key: "events", label: "Events", number: true, sort: (g) => g.events.length, value: (g) => count(g.events.length) },
  ]
}

// Events are the bodies of what was given up.
function Events({ letter: g, replay }: { letter: DeadLetter; replay: () => void }) {
  return (
    <>
      <p class="actions">
        <May role="app-admin">
          <button type="button" onClick={replay}>
            Deliver again
          </button>
        </May>
        <span class="hint">Id {g.id}</span>
      </p>
      {g.events.map((e) => (
        <div class="event" key={e.id}>
          <p>
            <strong>
              <Text value={String(e.event.name ?? "")} />
            </strong>{" "}
            {typeof e.event.channel === "string" && (
              <>
                on <Text value={e.event.channel} />
              </>
            )}{" "}
            <span class="hint">
              id <Text value={e.id} />
            </span>
          </p>
          <Json value={e.event} label="Event" />
        </div>
      ))}
    </>
  )
}
