import { useEffect, useState } from "preact/hooks"
import { useAsk } from "../../api/use"
import type { Page } from "../../shell/page"
import { query, setQuery } from "../../shell/router"
import { Command, Field, Line } from "../../ui/form"
import { quoted } from "../../ui/shell"
import { Empty, Wait } from "../../ui/state"
import { Answer } from "./answer"
import { asked, fields, local, moment, type Question } from "./verdicts"

export const explainPage: Page = { path: "apps/:app/explain", title: "Explain", view: View, least: "developer", menu: { of: "app", key: "y" } }

function View({ params }: { params: Record<string, string> }) {
  const id = params.app!
  const question = asked(query.value)
  return (
    <>
      <h1>Explain</h1>
      <p>Why did somebody not get an event? Say which event, and who should have got it.</p>
      <Ask />
      {question ? (
        <Result app={id} question={question} />
      ) : (
        <Empty>
          <p>
            The id of an event is in the answer to the trigger (<code>X-Belfry-Event-Id</code>), and <code>belfry trigger</code> prints it. Without it an event is found by its channel, name and time.
          </p>
        </Empty>
      )}
      <Command>{command(id, question)}</Command>
    </>
  )
}

function command(app: string, question: Question | undefined): string {
  const flags = Object.entries(question ?? { event: "ID", socket: "SOCKET" }).map(([name, value]) => ` --${name} ${quoted(value)}`)
  return `belfry explain --app ${quoted(app)}${flags.join("")}`
}

// Ask is the question. What stands in the address is filled in, and what is asked
// goes there.
function Ask() {
  const given = Object.fromEntries(fields.map((f) => [f, query.value.get(f) ?? ""])) as Required<Question>
  const key = JSON.stringify(given)
  const [typed, setTyped] = useState({ key, q: given })
  // What is typed is of one address; another has its own question.
  const q = typed.key === key ? typed.q : given
  const setQ = (q: Required<Question>) => setTyped({ key, q })
  const field = (name: keyof Question) => ({ value: q[name], onValue: (value: string) => setQ({ ...q, [name]: value }) })
  const submit = (e: Event) => {
    e.preventDefault()
    setQuery(q, "push")
    // The same question again has another answer when more has happened.
    if (JSON.stringify(q) === key) again.value?.()
  }
  return (
    <form onSubmit={submit}>
      <fieldset>
        <legend>Which event</legend>
        <Line label="Event id" hint="If it is known, nothing else is needed here." {...field("event")} />
        <div class="filters fields wide">
          <Line label="Channel" placeholder="private-orders" {...field("channel")} />
          <Line label="Event name" placeholder="any" {...field("name")} />
          <Moment label="From" value={q.from} onValue={(from) => setQ({ ...q, from })} />
          <Moment label="To" value={q.to} onValue={(to) => setQ({ ...q, to })} />
        </div>
        <p class="hint">Without a time it is the last ten minutes.</p>
      </fieldset>
      <fieldset>
        <legend>Who did not get it</legend>
        <div class="filters fields wide">
          <Line label="Connection" placeholder="1234.5678" {...field("socket")} />
          <Line label="or user" placeholder="user id" {...field("user")} />
        </div>
        <p class="hint">Without either, the answer says what became of the event at all.</p>
      </fieldset>
      <p class="actions">
        <button type="submit" disabled={!q.event && !q.channel}>
          Find out why
        </button>
        <button type="button" class="quiet" onClick={() => setQuery(Object.fromEntries(fields.map((f) => [f, ""])), "push")}>
          Clear
        </button>
      </p>
    </form>
  )
}

function Moment({ label, value, onValue }: { label: string; value: string; onValue: (value: string) => void }) {
  return (
    <Field label={label}>
      {({ id }) => <input id={id} type="datetime-local" step={1} value={local(value)} onInput={(e) => onValue(moment(e.currentTarget.value))} />}
    </Field>
  )
}

// again asks the question that is shown once more.
const again: { value: (() => void) | undefined } = { value: undefined }

function Result({ app, question }: { app: string; question: Question }) {
  const result = useAsk("GET /api/v1/apps/{id}/explain", { path: { id: app }, query: question })
  useEffect(() => {
    again.value = () => void result.again()
    return () => {
      again.value = undefined
    }
  })
  return (
    <section aria-labelledby="answer">
      <h2 id="answer" class="unseen">
        Answer
      </h2>
      <Wait asked={result}>{(e) => <Answer app={app} explanation={e} question={question} />}</Wait>
    </section>
  )
}
