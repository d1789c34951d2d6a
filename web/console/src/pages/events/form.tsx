import { useState } from "preact/hooks"
import { type Answer, call } from "../../api/client"
import type { App } from "../../api/schema"
import { useAsk } from "../../api/use"
import { setQuery } from "../../shell/router"
import { Dialog } from "../../ui/dialog"
import { Command, Field, Line, Lines, Mistake, useAction } from "../../ui/form"
import { counted } from "../../ui/list"
import { count, size } from "../../ui/numbers"
import { quoted } from "../../ui/shell"
import { Copy, Text } from "../../ui/text"
import { visible } from "../../ui/visible"
import { address } from "../address"
import { Audience } from "./audience"
import { examples } from "./code"
import { keep, kept, store } from "./kept"
import { batched, type Draft, isEncrypted, mistakes, notJSON, pretty, sent, sizeOf, targets, tight } from "./model"
import { Result, type Outcome } from "./result"
import { Shelf } from "./shelf"

type Targeted = ReturnType<typeof batched>[number]

// Form is what is to be sent, and what became of what was.
export function Form({ app, first }: { app: App; first: Draft }) {
  const [draft, setDraft] = useState(first)
  const [tried, setTried] = useState(false) // to send it, so that what is missing is said
  const [unsure, setUnsure] = useState<() => void>()
  const [batch, setBatch] = useState<Targeted[]>([])
  const [list, setList] = useState(() => kept(app.id))
  const [outcome, setOutcome] = useState<Outcome>()
  const [audience, setAudience] = useState<ReturnType<typeof sent>>()
  const doing = useAction()
  const wrong = mistakes(draft, app.limits)
  const told = (field: keyof typeof wrong, typed: boolean) => (tried || typed ? wrong[field] : undefined)
  const change = (part: Partial<Draft>) => setDraft({ ...draft, ...part })

  const shelve = (next: typeof list) => {
    setList(next)
    store(app.id, next)
  }
  const send = (ask: () => Promise<Answer<"POST /api/v1/apps/{id}/events">>, channels: string[]) =>
    void doing.run(async () => {
      setOutcome(undefined)
      setAudience(undefined)
      const answer = await ask()
      setOutcome({ at: new Date(), channels: [...new Set(channels)], answer })
    })
  // certain goes on if the data is JSON, or after asking.
  const certain = (go: () => void) => {
    setTried(true)
    if (Object.keys(wrong).length > 0) return
    if (notJSON(draft.data)) setUnsure(() => go)
    else go()
  }
  const sendOne = () => {
    const body = sent(draft)
    setQuery({ channel: body.channels.join("\n"), event: body.name })
    if (!app.hide_payloads) shelve(keep(list, { title: "", draft }))
    send(() => call("POST /api/v1/apps/{id}/events", { path: { id: app.id }, body }), body.channels)
  }
  const sendBatch = () =>
    send(
      () => call("POST /api/v1/apps/{id}/batch_events", { path: { id: app.id }, body: { batch } }),
      batch.map((e) => e.channel),
    )
  const submit = (e: globalThis.Event) => {
    e.preventDefault()
    certain(sendOne)
  }
  const press = (e: KeyboardEvent) => {
    if (e.key !== "Enter" || !(e.ctrlKey || e.metaKey)) return
    e.preventDefault()
    certain(sendOne)
  }
  return (
    <>
      <form onSubmit={submit} onKeyDown={press}>
        <To app={app.id} draft={draft} change={change} channels={told("channels", draft.channels.length > 0)} user={told("user", false)} />
        <Line label="Event" value={draft.name} onValue={(name) => change({ name })} mistake={told("name", draft.name !== "")} placeholder="order-created" />
        <Data draft={draft} change={change} limit={app.limits.event_data ?? 0} mistake={wrong.data} />
        <Line
          label="Leave out the connection"
          value={draft.except}
          onValue={(except) => change({ except: except.trim() })}
          mistake={told("except", draft.except !== "")}
          placeholder="1234.5678"
          hint="Its socket id, as when a client has caused the event and knows of it already."
        />
        <p class="actions">
          <button type="submit" disabled={doing.busy}>
            Send
          </button>
          <button type="button" class="quiet" onClick={() => (setOutcome(undefined), setAudience(sent(draft)))}>
            Who would get it?
          </button>
          <button type="button" class="quiet" onClick={() => certain(() => setBatch([...batch, ...batched(draft)]))}>
            Add to a batch
          </button>
          <span class="hint">Ctrl+Enter or ⌘+Enter sends.</span>
        </p>
        <Mistake id="summary" text={tried && Object.keys(wrong).length > 0 ? "Nothing was sent: see what is marked above." : undefined} />
      </form>
      {batch.length > 0 && <Batch batch={batch} limit={app.limits.events_per_batch ?? 0} busy={doing.busy} send={sendBatch} change={setBatch} />}
      {audience && <Audience app={app.id} channels={audience.channels} except={audience.socket_id ?? ""} key={JSON.stringify(audience)} />}
      <Result app={app.id} problem={doing.problem} outcome={outcome} />
      <Shelf list={list} use={(d) => (setDraft(d), setTried(false))} name={(title) => shelve(keep(list, { title, draft }))} change={shelve} />
      <Examples app={app} draft={draft} />
      {unsure && (
        <Unsure
          text={draft.data}
          onClose={() => setUnsure(undefined)}
          go={() => {
            setUnsure(undefined)
            unsure()
          }}
        />
      )}
    </>
  )
}

// busiest is how many channels are offered.
const busiest = 8

interface ToProps {
  app: string
  draft: Draft
  change: (part: Partial<Draft>) => void
  channels: string | undefined
  user: string | undefined
}

// To is where the event goes.
function To({ app, draft, change, channels, user }: ToProps) {
  const toUser = draft.to === "user"
  const there = useAsk("GET /api/v1/apps/{id}/channels", { path: { id: app }, query: { order: "subscriptions", limit: busiest } }, { off: toUser })
  const users = useAsk("GET /api/v1/apps/{id}/users", { path: { id: app }, query: { limit: 100, prefix: draft.user } }, { off: !toUser })
  const offered = (there.data?.channels ?? []).filter((c) => !draft.channels.includes(c.name))
  return (
    <fieldset>
      <legend>To</legend>
      <p class="actions">
        <label class="choice">
          <input type="radio" name="to" checked={!toUser} onChange={() => change({ to: "channels" })} />
          channels
        </label>
        <label class="choice">
          <input type="radio" name="to" checked={toUser} onChange={() => change({ to: "user" })} />
          the connections of a user
        </label>
      </p>
      {toUser ? (
        <Field label="User" hint="The id with which the user is signed in." mistake={user}>
          {(a) => (
            <>
              <input {...a} list="users" value={draft.user} spellcheck={false} autocomplete="off" onInput={(e) => change({ user: e.currentTarget.value })} />
              <datalist id="users">
                {users.data?.users.map((u) => (
                  <option key={u.id} value={u.id} />
                ))}
              </datalist>
            </>
          )}
        </Field>
      ) : (
        <>
          <Lines label="Channels" value={draft.channels} onValue={(channels) => change({ channels })} mistake={channels} rows={2} />
          {offered.length > 0 && (
            <p class="actions">
              <span class="hint">There are now:</span>
              {offered.map((c) => (
                <button type="button" class="quiet" key={c.name} onClick={() => change({ channels: [...draft.channels, c.name] })}>
                  <Text value={c.name} max={40} /> ({count(c.subscriptions)})
                </button>
              ))}
            </p>
          )}
          {draft.channels.some(isEncrypted) && <p class="hint">The service has no key of an encrypted channel. Its subscribers can not read what is sent from here.</p>}
        </>
      )}
    </fieldset>
  )
}

interface DataProps {
  draft: Draft
  change: (part: Partial<Draft>) => void
  limit: number
  mistake: string | undefined
}

// Data says while it is typed whether it is JSON, and how large.
function Data({ draft, change, limit, mistake }: DataProps) {
  const why = notJSON(draft.data)
  return (
    <Field
      label="Data"
      mistake={mistake}
      hint={
        <>
          {why ? <>Not JSON: {visible(why)}. It can be sent as text.</> : "JSON."} {size(sizeOf(tight(draft.data)))}
          {limit > 0 && ` of ${size(limit)}`}.
        </>
      }
      after={
        <p class="actions">
          <button type="button" class="quiet" disabled={!!why} onClick={() => change({ data: pretty(draft.data) })}>
            Format
          </button>
        </p>
      }
    >
      {(a) => <textarea {...a} rows={6} spellcheck={false} autocomplete="off" value={draft.data} onInput={(e) => change({ data: e.currentTarget.value })} />}
    </Field>
  )
}

// Unsure asks before something goes as text that looks as if JSON was meant.
function Unsure({ text, onClose, go }: { text: string; onClose: () => void; go: () => void }) {
  return (
    <Dialog title="Send it as text?" onClose={onClose}>
      <p>The data is not JSON: {visible(notJSON(text) ?? "")}</p>
      <p>Clients get it as a text then, letter by letter.</p>
      <p class="actions">
        <button type="button" onClick={go}>
          Send as text
        </button>
        <button type="button" class="quiet" onClick={onClose}>
          Back
        </button>
      </p>
    </Dialog>
  )
}

interface BatchProps {
  batch: Targeted[]
  limit: number
  busy: boolean
  send: () => void
  change: (batch: Targeted[]) => void
}

// Batch is events that go together, or not at all.
function Batch({ batch, limit, busy, send, change }: BatchProps) {
  const tooMany = limit > 0 && batch.length > limit
  return (
    <section aria-labelledby="batch">
      <h2 id="batch">Batch</h2>
      <ol>
        {batch.map((e, i) => (
          <li>
            <Text value={e.name} max={80} /> on <Text value={e.channel} max={80} />, {size(sizeOf(e.data))}{" "}
            <button type="button" class="quiet" aria-label={`Remove ${visible(e.name, 40)} on ${visible(e.channel, 40)}`} onClick={() => change(batch.filter((_, j) => j !== i))}>
              Remove
            </button>
          </li>
        ))}
      </ol>
      <Mistake id="batch-mistake" text={tooMany ? `A batch of this app has at most ${counted(limit, "event")}.` : undefined} />
      <p class="actions">
        <button type="button" disabled={busy || tooMany} onClick={send}>
          Send the batch
        </button>
        <button type="button" class="quiet" onClick={() => change([])}>
          Remove all
        </button>
      </p>
    </section>
  )
}

// Examples are the same event in code.
function Examples({ app, draft }: { app: App; draft: Draft }) {
  const [which, setWhich] = useState(0)
  const event = sent(draft)
  const key = app.keys.at(-1)?.key ?? "KEY"
  const list = examples({ base: address(), app: app.id, key, admin: new URL("../", document.baseURI).href }, { ...event, name: event.name || "EVENT", channels: targets(draft) })
  const { title, code } = list[which]!
  return (
    <section aria-labelledby="code">
      <div class="head">
        <h2 id="code">The same in code</h2>
        <Copy value={code} />
      </div>
      <p class="hint">In place of the secret stands SECRET: it was shown when the key was made.</p>
      <Field label="For">
        {({ id }) => (
          <select id={id} value={which} onChange={(e) => setWhich(Number(e.currentTarget.value))}>
            {list.map((x, i) => (
              <option value={i}>{x.title}</option>
            ))}
          </select>
        )}
      </Field>
      <pre tabIndex={0} role="group" aria-label={title}>
        <code>
          <Text value={code} max={20_000} lines />
        </code>
      </pre>
      <Command>{`belfry tail --app ${quoted(app.id)} --type api_message   # shows it as it goes out`}</Command>
    </section>
  )
}
