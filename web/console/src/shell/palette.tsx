import { useEffect, useId, useState } from "preact/hooks"
import { useAsk } from "../api/use"
import { pages } from "../pages"
import { Dialog } from "../ui/dialog"
import { Text } from "../ui/text"
import { find } from "./find"
import { may } from "./may"
import { last, nameOf } from "./named"
import { node } from "./reach"
import { go } from "./router"

// Palette goes to whatever is typed: an app, a page, or something inside an app.
export function Palette({ app, onClose }: { app: string; onClose: () => void }) {
  const [text, setText] = useState("")
  const [at, setAt] = useState(0)
  const [chose, setChose] = useState(false) // before the apps were there
  const id = useId()
  const asked = useAsk("GET /api/v1/apps", { query: { limit: 1000 } }, { off: !!node.value?.witness })
  const apps = asked.data?.apps ?? []
  const inside = app || last.value || (apps.length === 1 ? apps[0]!.id : "")
  const list = find(text, apps, pages.filter((p) => may(p.least ?? "viewer") && (p.witness || !node.value?.witness)), inside)
  const chosen = Math.min(at, list.length - 1)
  useEffect(() => document.getElementById(`${id}-${chosen}`)?.scrollIntoView({ block: "nearest" }), [chosen])
  const leave = (to: string | undefined) => {
    if (to === undefined) return
    onClose()
    go(to)
  }
  const ready = !!asked.data || !!asked.problem || !!node.value?.witness
  useEffect(() => {
    if (chose && ready) leave(list[chosen]?.to)
  }, [chose, ready])
  const press = (e: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[e.key]
    if (step) setAt((chosen + step + list.length) % list.length)
    else if (e.key === "Enter") setChose(true)
    else return
    e.preventDefault()
  }
  return (
    <Dialog title="Go to" onClose={onClose}>
      <label class="unseen" for={`${id}-text`}>
        Name or id
      </label>
      <input
        id={`${id}-text`}
        class="palette"
        type="text"
        role="combobox"
        aria-expanded={list.length > 0}
        aria-controls={id}
        aria-activedescendant={list.length > 0 ? `${id}-${chosen}` : undefined}
        placeholder="App, key, channel, user, socket id, event id, page"
        spellcheck={false}
        autocomplete="off"
        value={text}
        onInput={(e) => (setText(e.currentTarget.value), setAt(0), setChose(false))}
        onKeyDown={press}
      />
      <ul class="finds" id={id} role="listbox" aria-label="Places">
        {list.map((f, i) => (
          <li key={f.what + f.to} id={`${id}-${i}`} role="option" aria-selected={i === chosen} onMouseMove={() => setAt(i)} onClick={() => leave(f.to)}>
            <span class="hint">{f.what}</span> <Text value={f.name} max={80} />{" "}
            <span class="hint">
              <Text value={f.what === "App" || f.note !== "of the app" ? f.note : `of ${nameOf(inside)}`} max={60} />
            </span>
          </li>
        ))}
      </ul>
      {list.length === 0 && <p class="hint">{ready ? "Nothing is called so. Open an app to find its channels, users and connections." : "Looking…"}</p>}
    </Dialog>
  )
}
