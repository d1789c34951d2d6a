import type { ComponentChildren } from "preact"
import { useState } from "preact/hooks"
import { counted } from "../../ui/list"
import { Text } from "../../ui/text"

// first is how many members of an object or list are shown at first, and what more
// are shown each time that is asked for.
const first = 100

// open is down to which depth objects and lists are open.
const open = 2

// Tree shows JSON; objects and lists can be closed.
export function Tree({ value }: { value: object }) {
  return (
    <div class="tree">
      <Members value={value} depth={0} />
    </div>
  )
}

function Members({ value, depth }: { value: object; depth: number }) {
  const [shown, setShown] = useState(first)
  const all = Object.entries(value)
  const list = Array.isArray(value)
  return (
    <ul>
      {all.slice(0, shown).map(([name, member]) => (
        <li key={name}>
          <Member name={list ? name : JSON.stringify(name)} value={member} depth={depth} />
        </li>
      ))}
      {all.length > shown && (
        <li>
          <button type="button" class="link" onClick={() => setShown(shown + first)}>
            {counted(all.length - shown, "more member")}
          </button>
        </li>
      )}
    </ul>
  )
}

function Member({ name, value, depth }: { name: string; value: unknown; depth: number }) {
  const [isOpen, setOpen] = useState(depth < open)
  const key = (
    <span class="key">
      <Text value={name} />:{" "}
    </span>
  )
  if (typeof value !== "object" || value === null) return <>{key}<Leaf value={value} /></>
  const n = Object.keys(value).length
  return (
    <details open={isOpen} onToggle={(e) => setOpen(e.currentTarget.open)}>
      <summary>
        {key}
        <span class="hint">{Array.isArray(value) ? counted(n, "element") : counted(n, "member")}</span>
      </summary>
      {isOpen && <Members value={value} depth={depth + 1} />}
    </details>
  )
}

function Leaf({ value }: { value: unknown }): ComponentChildren {
  return <Text value={JSON.stringify(value)} max={1000} />
}
