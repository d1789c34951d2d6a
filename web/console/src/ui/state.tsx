import type { ComponentChildren } from "preact"
import { useEffect, useState } from "preact/hooks"
import type { Asked } from "../api/use"
import { says } from "../api/use"
import { Time } from "./time"

export type Kind = "good" | "warn" | "bad" | "off"

const signs: Record<Kind, string> = { good: "●", warn: "▲", bad: "■", off: "○" }

// Badge is a state in a word, a shape and a colour.
export function Badge({ kind, children }: { kind: Kind; children: ComponentChildren }) {
  return (
    <span class={`badge ${kind}`}>
      <span aria-hidden="true">{signs[kind]}</span> {children}
    </span>
  )
}

// Notice is a sentence that must not be overlooked.
export function Notice({ kind, children, alert = false }: { kind: Kind; children: ComponentChildren; alert?: boolean }) {
  return (
    <div class={`notice ${kind}`} role={alert ? "alert" : undefined}>
      {children}
    </div>
  )
}

// Wait shows what was asked when it is there; old data stays while new comes.
export function Wait<T>({ asked, children }: { asked: Asked<T>; children: (data: T) => ComponentChildren }) {
  const [late, setLate] = useState(false)
  useEffect(() => {
    const timer = setTimeout(setLate, 150, true)
    return () => clearTimeout(timer)
  }, [])
  if (asked.data !== undefined) {
    return (
      <>
        {asked.problem && (
          <Notice kind="warn">
            <p>
              {says(asked.problem)} What is shown is from {asked.at ? <Time at={asked.at} /> : "before"}.
            </p>
          </Notice>
        )}
        {children(asked.data)}
      </>
    )
  }
  if (asked.problem) {
    return (
      <Notice kind="bad" alert>
        <p>{says(asked.problem)}</p>
        <p class="actions">
          <button type="button" onClick={asked.again}>
            Try again
          </button>
        </p>
      </Notice>
    )
  }
  return late ? (
    <p class="skeleton" role="status">
      Loading…
    </p>
  ) : null
}

// Empty says what would fill a list.
export function Empty({ children }: { children: ComponentChildren }) {
  return <div class="empty">{children}</div>
}
