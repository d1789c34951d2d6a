import { useState } from "preact/hooks"
import { type Answer, call } from "../../api/client"
import type { Page } from "../../shell/page"
import { to } from "../../shell/router"
import { Command, Failure, Line, useAction } from "../../ui/form"
import { Notice } from "../../ui/state"
import { Text } from "../../ui/text"
import { Pair } from "../keys/pair"

export const newAppPage: Page = { path: "new", title: "Create an app", view: View, least: "operator" }

type Made = Answer<"POST /api/v1/apps">

function View() {
  const [made, setMade] = useState<Made>()
  return made ? <Done app={made} /> : <Form onMade={setMade} />
}

function Form({ onMade }: { onMade: (app: Made) => void }) {
  const [name, setName] = useState("")
  const [id, setID] = useState("")
  const doing = useAction()
  const submit = (e: Event) => {
    e.preventDefault()
    void doing.run(async () => onMade(await call("POST /api/v1/apps", { body: { name, ...(id ? { id } : {}) } })))
  }
  return (
    <>
      <h1>Create an app</h1>
      <form onSubmit={submit} class="narrow">
        <Line label="Name" hint="For people: logs and metrics call the app so." value={name} onValue={setName} mistake={doing.mistakes.name} autofocus />
        <details>
          <summary>More</summary>
          <Line
            label="Id"
            hint="Without it the app gets a random one of digits. Give it to move an app from elsewhere."
            value={id}
            onValue={setID}
            mistake={doing.mistakes.id}
          />
        </details>
        <Failure problem={doing.problem} fields={["name", "id"]} />
        <p class="actions">
          <button type="submit" disabled={doing.busy}>
            Create
          </button>
          <a class="button quiet" href="./">
            Cancel
          </a>
        </p>
      </form>
      <Command>belfry apps create --name shop</Command>
    </>
  )
}

// Done shows the secret, once: it is in this component alone.
function Done({ app }: { app: Made }) {
  return (
    <>
      <h1>
        <Text value={app.name || app.id} max={80} />
      </h1>
      <Notice kind="good">
        <p>The app was made.</p>
      </Notice>
      <dl class="facts-list">
        <div>
          <dt>App id</dt>
          <dd>
            <code>
              <Text value={app.id} />
            </code>
          </dd>
        </div>
      </dl>
      {app.keys.map((k) => (
        <Pair pair={k} />
      ))}
      <p class="actions">
        <a class="button" href={to("apps/:app/connect", { app: app.id })}>
          Connect an application
        </a>
        <a class="button quiet" href={to("apps/:app", { app: app.id })}>
          To the app
        </a>
      </p>
    </>
  )
}
