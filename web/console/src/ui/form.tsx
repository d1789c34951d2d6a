import type { ComponentChildren } from "preact"
import { useId, useState } from "preact/hooks"
import { Refused } from "../api/client"
import { says } from "../api/use"
import { Notice } from "./state"
import { Text } from "./text"
import { visible } from "./visible"

// A Mistake stands beside its field.
export function Mistake({ id, text }: { id: string; text: string | undefined }) {
  return text ? (
    <span class="mistake" id={id} role="alert">
      {text}
    </span>
  ) : null
}

interface FieldProps {
  label: ComponentChildren
  hint?: ComponentChildren
  mistake?: string | undefined
  after?: ComponentChildren
  children: (attributes: { id: string; "aria-describedby": string; "aria-invalid": boolean }) => ComponentChildren
}

// Field is one thing to fill in: its label, what it means, what is wrong.
export function Field({ label, hint, mistake, after, children }: FieldProps) {
  const id = useId()
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {children({ id, "aria-describedby": `${id}-hint ${id}-mistake`, "aria-invalid": !!mistake })}
      {after}
      {hint && (
        <span class="hint" id={`${id}-hint`}>
          {hint}
        </span>
      )}
      <Mistake id={`${id}-mistake`} text={mistake} />
    </div>
  )
}

type LineProps = Omit<FieldProps, "children" | "after"> & {
  value: string
  onValue: (value: string) => void
  kind?: "text" | "password"
  name?: string
  required?: boolean
  autofocus?: boolean
  autocomplete?: string
  placeholder?: string
  disabled?: boolean
}

// Line is a field of one line.
export function Line({ label, hint, mistake, value, onValue, kind = "text", autocomplete = "off", ...rest }: LineProps) {
  return (
    <Field label={label} hint={hint} mistake={mistake} after={kind === "text" && <Escapes value={value} />}>
      {(a) => (
        <input
          type={kind as "text"}
          autocomplete={autocomplete as "off"}
          spellcheck={false}
          {...rest}
          {...a}
          value={value}
          onInput={(e) => onValue(e.currentTarget.value)}
        />
      )}
    </Field>
  )
}

// Escapes shows what a field would hide. In the field the text is as it is.
function Escapes({ value }: { value: string }) {
  if (visible(value, value.length) === value) return null
  return (
    <span class="hint">
      There are characters in it that can not be seen: <Text value={value} />
    </span>
  )
}

// Lines is a list, one element a line.
export function Lines({ label, hint, mistake, value, onValue, rows = 3 }: Omit<FieldProps, "children"> & { value: string[]; onValue: (value: string[]) => void; rows?: number }) {
  const [text, setText] = useState(value.join("\n"))
  const elements = (t: string) => t.split("\n").map((l) => l.trim()).filter(Boolean)
  const shown = elements(text).join("\n") === value.join("\n") ? text : value.join("\n")
  const input = (t: string) => {
    setText(t)
    onValue(elements(t))
  }
  return (
    <Field label={label} hint={hint ?? "One a line."} mistake={mistake} after={value.map((v) => <Escapes value={v} />)}>
      {(a) => <textarea rows={rows} spellcheck={false} autocomplete="off" {...a} value={shown} onInput={(e) => input(e.currentTarget.value)} />}
    </Field>
  )
}

// Switch is yes or no.
export function Switch({ label, hint, mistake, value, onValue }: Omit<FieldProps, "children"> & { value: boolean; onValue: (value: boolean) => void }) {
  const id = useId()
  return (
    <div class="field switch">
      <input type="checkbox" id={id} checked={value} aria-describedby={`${id}-hint ${id}-mistake`} onChange={(e) => onValue(e.currentTarget.checked)} />
      <label for={id}>{label}</label>
      {hint && (
        <span class="hint" id={`${id}-hint`}>
          {hint}
        </span>
      )}
      <Mistake id={`${id}-mistake`} text={mistake} />
    </div>
  )
}

// useAction runs what a button does once at a time, and keeps what went wrong.
export function useAction(): {
  busy: boolean
  problem: unknown
  mistakes: Record<string, string>
  run: (action: () => Promise<void>) => Promise<boolean>
  clear: () => void
} {
  const [busy, setBusy] = useState(false)
  const [problem, setProblem] = useState<unknown>(undefined)
  const run = async (action: () => Promise<void>) => {
    if (busy) return false
    setBusy(true)
    setProblem(undefined)
    try {
      await action()
      return true
    } catch (e) {
      setProblem(e)
      return false
    } finally {
      setBusy(false)
    }
  }
  const mistakes: Record<string, string> = {}
  if (problem instanceof Refused) {
    for (const m of problem.mistakes) mistakes[m.name] = m.text
  }
  return { busy, problem, mistakes, run, clear: () => setProblem(undefined) }
}

// Failure tells what went wrong, with the mistakes that have no field.
export function Failure({ problem, fields = [] }: { problem: unknown; fields?: string[] }) {
  if (problem === undefined) return null
  const others = problem instanceof Refused ? problem.mistakes.filter((m) => !fields.includes(m.name)) : []
  return (
    <Notice kind="bad" alert>
      <p>{says(problem)}</p>
      {others.length > 0 && (
        <ul>
          {others.map((m) => (
            <li>
              <code>{m.name}</code>: {m.text}
            </li>
          ))}
        </ul>
      )}
    </Notice>
  )
}

// Command is what does the same in a terminal.
export function Command({ children }: { children: string }) {
  return (
    <details class="command">
      <summary>On the command line</summary>
      <pre tabIndex={0} role="group" aria-label="Command">
        <code>{children}</code>
      </pre>
    </details>
  )
}
