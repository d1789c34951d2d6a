import { useState } from "preact/hooks"
import { maxShown, pieces, visible } from "./visible"

// Text shows a text of strangers.
export function Text({ value, max = maxShown, lines = false }: { value: string; max?: number; lines?: boolean }) {
  const { pieces: list, more } = pieces(value, max, lines)
  return (
    <bdi class="text">
      {list.map((p) => (p.escape ? <span class="escape">{p.text}</span> : p.text))}
      {more > 0 && <span class="more"> … {more.toLocaleString()} more characters</span>}
    </bdi>
  )
}

// Code is a text that is to be read letter by letter, with a button to copy it.
export function Code({ value, copy = true, max = maxShown }: { value: string; copy?: boolean; max?: number }) {
  return (
    <span class="code">
      <code>
        <Text value={value} max={max} />
      </code>
      {copy && <Copy value={value} />}
    </span>
  )
}

// Copy puts a text into the clipboard. With of, which says what it is, the button
// is a small sign behind it.
export function Copy({ value, label = "Copy", of }: { value: string; label?: string; of?: string }) {
  const [done, setDone] = useState("")
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(value)
      setDone("Copied")
    } catch {
      setDone("The browser refused to copy")
    }
    setTimeout(setDone, 2000, "")
  }
  const small = of !== undefined && !done
  return (
    <button type="button" class={small ? "copy sign" : "copy"} onClick={copy} aria-label={small ? `Copy ${of} ${visible(value, 60)}` : undefined} title={small ? "Copy" : undefined}>
      <span aria-live="polite">{small ? "" : done || label}</span>
    </button>
  )
}

const maxBlock = 4_096

// Block is a longer text of strangers, or of a program, with its lines.
export function Block({ value, label, all = false }: { value: string; label: string; all?: boolean }) {
  const [whole, setWhole] = useState(all)
  const max = whole ? 1 << 20 : maxBlock
  return (
    <div class="block">
      <pre tabIndex={0} role="group" aria-label={label}>
        <code>
          <Text value={value} max={max} lines />
        </code>
      </pre>
      <p class="actions">
        <Copy value={value} />
        {!whole && value.length > maxBlock && (
          <button type="button" class="quiet" onClick={() => setWhole(true)}>
            Show all
          </button>
        )}
      </p>
    </div>
  )
}

// Json is a value as JSON.
export function Json({ value, label }: { value: unknown; label: string }) {
  return <Block value={JSON.stringify(value, null, 2)} label={label} />
}
