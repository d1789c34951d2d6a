// Asks the API for what a page shows, and keeps it while it asks again.

import { useEffect, useRef, useState } from "preact/hooks"
import { type Answer, call, contact, type Given, type Name, Refused, Unreachable } from "./client"

// An Asked is what a page has of a call.
export interface Asked<T> {
  data: T | undefined
  at: Date | undefined // when data came
  problem: Error | undefined // why newer data did not come
  asking: boolean
  again: () => Promise<void>
}

// useAsk asks when a component is shown, when what it asks changes, when the
// node is back, and, with every, again and again.
export function useAsk<N extends Name>(name: N, given: Given<N> = {}, options: { every?: number; off?: boolean } = {}): Asked<Answer<N>> {
  type State = Omit<Asked<Answer<N>>, "again">
  const key = JSON.stringify([name, given])
  const [state, setState] = useState<State & { key: string }>({ key, data: undefined, at: undefined, problem: undefined, asking: true })
  const last = useRef<() => Promise<void>>(async () => {})
  const { healed } = contact.value
  const known = useRef(healed)
  useEffect(() => {
    if (options.off) return
    const stop = new AbortController()
    const ask = async (poll: boolean) => {
      setState((s) => ({ ...(s.key === key ? s : { data: undefined, at: undefined, problem: undefined }), key, asking: true }))
      try {
        const data = await call(name, { ...given, poll, signal: stop.signal })
        setState({ key, data, at: new Date(), problem: undefined, asking: false })
      } catch (e) {
        if (stop.signal.aborted) return
        setState((s) => ({ ...s, key, problem: e as Error, asking: false }))
      }
    }
    last.current = () => ask(false)
    // What a person goes to is use of the session; what the page asks again is not.
    void ask(healed !== known.current)
    known.current = healed
    let timer: number | undefined
    if (options.every) {
      timer = window.setInterval(() => {
        if (!document.hidden && !contact.value.lost) void ask(true)
      }, options.every)
    }
    return () => {
      stop.abort()
      clearInterval(timer)
    }
  }, [key, healed, options.every, options.off])
  const shown = state.key === key ? state : { data: undefined, at: undefined, problem: undefined, asking: true }
  return { ...shown, again: () => last.current() }
}

// says is what a person is told of an error.
export function says(e: unknown): string {
  if (e instanceof Refused || e instanceof Unreachable) return e.message
  return `The console itself has failed: ${String(e)}`
}
