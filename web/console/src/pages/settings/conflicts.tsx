import { useState } from "preact/hooks"
import type { App } from "../../api/schema"
import { Notice } from "../../ui/state"
import { Text } from "../../ui/text"
import { type Conflict, conflicts, type Draft, label, type Value } from "./model"

interface Props {
  before: App // what this page was filled with
  now: App // what somebody else has made of it
  draft: Draft // what was changed here
  onDone: (kept: Draft) => void
}

// Conflicts shows both versions of an app that two people changed at once, and
// asks which to take. Nothing was changed yet.
export function Conflicts({ before, now, draft, onDone }: Props) {
  const { both, theirs } = conflicts(before, now, draft)
  const [mine, setMine] = useState<Record<string, boolean>>({})
  const go = (e: Event) => {
    e.preventDefault()
    onDone(Object.fromEntries(Object.entries(draft).filter(([name]) => both.every((c) => c.setting.name !== name) || mine[name])))
  }
  return (
    <form onSubmit={go}>
      <Notice kind="warn" alert>
        <p>Somebody else changed the app while this page was open. Nothing of yours was saved yet.</p>
      </Notice>
      {both.length > 0 && (
        <>
          <h2>Changed by both</h2>
          {both.map((c) => (
            <Choice key={c.setting.name} conflict={c} mine={!!mine[c.setting.name]} choose={(m) => setMine({ ...mine, [c.setting.name]: m })} />
          ))}
        </>
      )}
      {theirs.length > 0 && (
        <>
          <h2>Changed by somebody else</h2>
          <ul>
            {theirs.map((c) => (
              <li key={c.setting.name}>
                {label(c.setting)}: <Shown value={c.before} /> → <Shown value={c.theirs} />
              </li>
            ))}
          </ul>
        </>
      )}
      <p class="actions">
        <button type="submit">Go on with these</button>
        <button type="button" class="quiet" onClick={() => onDone({})}>
          Drop my changes
        </button>
      </p>
    </form>
  )
}

function Choice({ conflict: c, mine, choose }: { conflict: Conflict; mine: boolean; choose: (mine: boolean) => void }) {
  const name = `choice ${c.setting.name}`
  return (
    <fieldset class="sides">
      <legend>
        {label(c.setting)} <code class="name">{c.setting.name}</code>
      </legend>
      <label>
        <input type="radio" name={name} checked={!mine} onChange={() => choose(false)} /> <span>Theirs: <Shown value={c.theirs} /></span>
      </label>
      <label>
        <input type="radio" name={name} checked={mine} onChange={() => choose(true)} /> <span>Mine: <Shown value={c.mine} /></span>
      </label>
      <p class="hint">
        It was <Shown value={c.before} />.
      </p>
    </fieldset>
  )
}

function Shown({ value }: { value: Value }) {
  if (typeof value === "boolean") return <>{value ? "on" : "off"}</>
  const text = Array.isArray(value) ? value.join(", ") : value
  return text === "" ? <>nothing</> : <Text value={text} />
}
