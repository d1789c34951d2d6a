// What apps are called.

import { useEffect } from "preact/hooks"
import { call, type Answer } from "../api/client"
import { signal } from "../signal"

export type App = Answer<"GET /api/v1/apps">["apps"][number]

// last is the app that was looked at last, and names are those of apps that were.
export const last = signal("")
const names = signal<Record<string, string>>({})

// nameOf is what people call an app; its id until that is known, or where it has no name.
export const nameOf = (id: string): string => names.value[id] || id

// useName finds out what the app that is looked at is called.
export function useName(id: string): void {
  useEffect(() => {
    if (!id) return
    last.value = id
    if (!(id in names.value)) call("GET /api/v1/apps/{id}", { path: { id }, poll: true }).then(named, () => {})
  }, [id])
}

// named is told of an app that was shown.
export function named({ id, name }: { id: string; name: string }): void {
  if (names.value[id] !== name) names.value = { ...names.value, [id]: name }
}
