import type { ComponentChildren } from "preact"
import { useEffect, useRef, useState } from "preact/hooks"
import type { Asked } from "../api/use"
import { query, setQuery } from "../shell/router"
import { Field } from "./form"
import { count } from "./numbers"
import { Notice } from "./state"
import { Text } from "./text"
import { Time } from "./time"

// Lists that the service has in pages: which page, and what it is filtered by,
// stand in the address.

// An Answered says whether a node has its part in an answer.
export interface Answered {
  name: string
  answered: boolean
  problem?: string
  detail?: string
}

// PartOf names the nodes that have no part in what is shown.
export function PartOf({ nodes }: { nodes: Answered[] }) {
  const missing = nodes.filter((n) => !n.answered)
  if (missing.length === 0) return null
  return (
    <Notice kind="warn" alert>
      <p>
        This is of {nodes.length - missing.length} of {nodes.length} nodes.
      </p>
      <ul>
        {missing.map((n) => (
          <li key={n.name}>
            What <Text value={n.name} /> has is missing: <Text value={n.problem ?? n.detail ?? "it has not answered"} />
          </li>
        ))}
      </ul>
    </Notice>
  )
}

// every is how often a list is asked for that keeps itself new.
const every = 5_000

// useRenewal is what a list is asked with, for the switch of Snapshot.
export function useRenewal(): { every?: number } {
  return query.value.has("renew") ? { every } : {}
}

// Snapshot says from when a list is and of which nodes, and asks for a newer one.
export function Snapshot({ asked, nodes, children }: { asked: Asked<{ at: string }>; nodes?: Answered[] | undefined; children?: ComponentChildren }) {
  const renew = query.value.has("renew")
  return (
    <>
      <div class="actions">
        <span class="hint" role="status">
          {asked.data && (
            <>
              {children} As of <Time at={asked.data.at} age={false} />
              {nodes && nodes.length > 1 && `, ${nodes.filter((n) => n.answered).length} of ${nodes.length} nodes`}.
            </>
          )}
        </span>
        <button type="button" class="quiet" onClick={() => void asked.again()}>
          Refresh
        </button>
        <label class="choice">
          <input type="checkbox" checked={renew} onChange={(e) => setQuery({ renew: e.currentTarget.checked ? "1" : "" })} />
          every 5 seconds
        </label>
      </div>
      {nodes && <PartOf nodes={nodes} />}
    </>
  )
}

// Pages goes to the next page of a list, and to the first.
export function Pages({ next }: { next: string | undefined }) {
  const after = query.value.get("after")
  if (!next && !after) return null
  return (
    <nav class="actions" aria-label="Pages of the list">
      {after && (
        <button type="button" class="quiet" onClick={() => setQuery({ after: "", open: "" }, "push")}>
          First page
        </button>
      )}
      {next && (
        <button type="button" onClick={() => setQuery({ after: next, open: "" }, "push")}>
          Next page
        </button>
      )}
    </nav>
  )
}

// settled is how long nobody types before a filter is applied.
const settled = 300

// Filter is a text by which the service filters.
export function Filter({ name, label, placeholder = "", search = false }: { name: string; label: string; placeholder?: string; search?: boolean }) {
  const applied = query.value.get(name) ?? ""
  const [state, setState] = useState({ applied, text: applied })
  // What was typed meanwhile stays, unless the address was changed by somebody else.
  const own = useRef(applied)
  const text = state.applied === applied || own.current === applied ? state.text : applied
  const setText = (text: string) => setState({ applied, text })
  const timer = useRef<number | undefined>(undefined)
  useEffect(() => () => clearTimeout(timer.current), [])
  const apply = (value: string) => {
    clearTimeout(timer.current)
    own.current = value
    if (value !== (query.value.get(name) ?? "")) setQuery({ [name]: value, after: "", open: "" })
  }
  const typed = (value: string) => {
    setText(value)
    clearTimeout(timer.current)
    timer.current = window.setTimeout(apply, settled, value)
  }
  return (
    <Field label={label}>
      {({ id }) => (
        <input
          id={id}
          type={(search ? "search" : "text") as "text"}
          value={text}
          placeholder={placeholder}
          spellcheck={false}
          autocomplete="off"
          onInput={(e) => typed(e.currentTarget.value)}
          onKeyDown={(e) => e.key === "Enter" && apply(e.currentTarget.value)}
        />
      )}
    </Field>
  )
}

// Choice is one of a few by which the service filters or sorts.
export function Choice({ name, label, choices }: { name: string; label: string; choices: [value: string, text: string][] }) {
  return (
    <Field label={label}>
      {({ id }) => (
        <select id={id} value={query.value.get(name) ?? ""} onChange={(e) => setQuery({ [name]: e.currentTarget.value, after: "", open: "" })}>
          {choices.map(([value, text]) => (
            <option value={value}>{text}</option>
          ))}
        </select>
      )}
    </Field>
  )
}

// counted is a number of things: 1 app, 2 apps.
export function counted(n: number, one: string, many = `${one}s`): string {
  return `${count(n)} ${n === 1 ? one : many}`
}
