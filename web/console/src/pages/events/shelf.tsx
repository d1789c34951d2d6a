import { useState } from "preact/hooks"
import { Line } from "../../ui/form"
import { Text } from "../../ui/text"
import type { Kept } from "./kept"
import { type Draft, targets } from "./model"

interface ShelfProps {
  list: Kept[]
  use: (draft: Draft) => void
  name: (title: string) => void
  change: (list: Kept[]) => void
}

// Shelf has what this browser keeps: events with a name, and what was sent lately.
export function Shelf({ list, use, name, change }: ShelfProps) {
  const [title, setTitle] = useState("")
  const submit = (e: globalThis.Event) => {
    e.preventDefault()
    name(title.trim())
    setTitle("")
  }
  return (
    <section aria-labelledby="shelf">
      <h2 id="shelf">Kept in this browser</h2>
      <p class="hint">Nobody else has them. They stay after a logout, so clear them on a machine of others.</p>
      {list.length > 0 && (
        <ul class="plain">
          {list.map((k, i) => (
            <li key={k.title || i} class="actions">
              <button type="button" class="quiet" onClick={() => use(k.draft)}>
                {k.title && (
                  <>
                    <strong>
                      <Text value={k.title} max={60} />
                    </strong>
                    :{" "}
                  </>
                )}
                <Text value={k.draft.name} max={60} /> to <Text value={targets(k.draft).join(", ")} max={80} />
              </button>
              <button type="button" class="quiet" aria-label={`Forget ${i + 1}`} onClick={() => change(list.filter((_, j) => j !== i))}>
                Forget
              </button>
            </li>
          ))}
        </ul>
      )}
      <form class="filters fields" onSubmit={submit}>
        <Line label="Name for what stands above" value={title} onValue={setTitle} />
        <button type="submit" class="quiet" disabled={!title.trim()}>
          Keep it
        </button>
        {list.length > 0 && (
          <button type="button" class="quiet" onClick={() => change([])}>
            Clear all
          </button>
        )}
      </form>
    </section>
  )
}
