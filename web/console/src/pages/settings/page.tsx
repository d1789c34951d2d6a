import { useState } from "preact/hooks"
import { call, Refused } from "../../api/client"
import type { App, Setting } from "../../api/schema"
import { useAsk } from "../../api/use"
import type { Page } from "../../shell/page"
import { Command, Failure, Line, Lines, Switch, useAction } from "../../ui/form"
import { useTexts } from "../../ui/explained"
import { Notice, Wait } from "../../ui/state"
import { ReadOnly } from "../overview/readonly"
import { Conflicts } from "./conflicts"
import { hit } from "./hit"
import { changed, type Draft, groups, initial, isDefault, label, patch, read, settings, type Value } from "./model"

export const settingsPage: Page = { path: "apps/:app/settings", title: "Settings", view: View, least: "app-admin", menu: { of: "app", key: "s" } }

function View({ params }: { params: Record<string, string> }) {
  const id = params.app!
  const asked = useAsk("GET /api/v1/apps/{id}", { path: { id } })
  return (
    <>
      <h1>Settings</h1>
      <Wait asked={asked}>{(app) => <Form first={app} />}</Wait>
      <Command>{`belfry apps update ${id} --client-events --connections 1000\nbelfry apps update --help`}</Command>
    </>
  )
}

// Form has the revision that it was filled with, whatever the app has become.
function Form({ first }: { first: App }) {
  const [app, setApp] = useState(first)
  const [draft, setDraft] = useState<Draft>({})
  const [theirs, setTheirs] = useState<App>()
  const [saved, setSaved] = useState(false)
  const doing = useAction()
  const now = useAsk("GET /api/v1/apps/{id}/now", { path: { id: app.id } }, { every: 10_000 })
  const text = useTexts("app")
  const fixed = app.source === "configuration"
  const changes = changed(app, draft)
  const number = Object.keys(changes).length

  const set = (name: string, value: Value | null) => {
    setSaved(false)
    setDraft({ ...draft, [name]: value })
  }
  const save = (e: Event) => {
    e.preventDefault()
    void doing.run(async () => {
      try {
        setApp(await call("PATCH /api/v1/apps/{id}", { path: { id: app.id }, body: patch(changes), revision: app.revision }))
        setDraft({})
        setSaved(true)
      } catch (problem) {
        if (!(problem instanceof Refused) || problem.status !== 412) throw problem
        setTheirs(await call("GET /api/v1/apps/{id}", { path: { id: app.id } }))
      }
    })
  }
  if (theirs) {
    return (
      <Conflicts
        before={app}
        now={theirs}
        draft={changes}
        onDone={(kept) => {
          setApp(theirs)
          setDraft(kept)
          setTheirs(undefined)
        }}
      />
    )
  }
  return (
    <form onSubmit={save}>
      <ReadOnly app={app} what="settings" />
      {groups().map((g) => (
        <fieldset disabled={fixed} key={g.title}>
          <legend>{g.title}</legend>
          {g.settings.map((s) => (
            <One key={s.name} setting={s} text={text(s.name)} app={app} draft={draft} isChanged={s.name in changes} mistake={doing.mistakes[s.name]} set={set} fixed={fixed} hit={s.name in changes ? hit(s.name, changes[s.name], now.data) : undefined} />
          ))}
        </fieldset>
      ))}
      {!fixed && (
        <div class="save">
          <Failure problem={doing.problem} fields={settings.map((s) => s.name)} />
          {saved && number === 0 && (
            <Notice kind="good">
            <p role="status">Saved. It is in effect on this node, and on others within a second.</p>
            </Notice>
          )}
          <p class="actions">
            <button type="submit" disabled={doing.busy || number === 0}>
              {number === 0 ? "Nothing changed" : number === 1 ? "Save 1 change" : `Save ${number} changes`}
            </button>
            {number > 0 && (
              <button type="button" class="quiet" onClick={() => (doing.clear(), setDraft({}))}>
                Undo all
              </button>
            )}
          </p>
        </div>
      )}
    </form>
  )
}

interface OneProps {
  setting: Setting
  app: App
  draft: Draft
  isChanged: boolean
  mistake: string | undefined
  set: (name: string, value: Value | null) => void
  fixed: boolean
  hit: string | undefined
  text: string
}

// One is the field of a setting, by its kind.
function One({ setting: s, app, draft, isChanged, mistake, set, fixed, hit, text }: OneProps) {
  const drafted = draft[s.name]
  const value = drafted === undefined ? read(app, s.name) : drafted === null ? initial(s) : drafted
  const common = {
    label: (
      <>
        {label(s)} <code class="name">{s.name}</code>
        {isChanged && <strong class="changed"> changed</strong>}
      </>
    ),
    hint: (
      <>
        {hit && (
          <strong class="changed" role="status">
            {hit}{" "}
          </strong>
        )}
        {text}
        {s.initial !== "" && s.initial !== '""' && (
          <>
            {" "}
            Default: <code>{shown(s)}</code>.
          </>
        )}
        {!fixed && s.initial !== "" && !isDefault(s, value) && (
          <>
            {" "}
            <button type="button" class="link" onClick={() => set(s.name, null)}>
              Take the default<span class="unseen"> of {label(s)}</span>
            </button>
          </>
        )}
      </>
    ),
    mistake,
  }
  if (typeof value === "boolean") return <Switch {...common} value={value} onValue={(v) => set(s.name, v)} />
  if (Array.isArray(value)) return <Lines {...common} value={value} onValue={(v) => set(s.name, v)} />
  return <Line {...common} value={value} onValue={(v) => set(s.name, v)} />
}

// shown is the default of a setting for a person.
function shown(s: Setting): string {
  const d = initial(s)
  if (typeof d === "boolean") return d ? "on" : "off"
  return Array.isArray(d) ? d.join(", ") : d
}
