// Who uses the console.

import { effect, signal } from "@preact/signals"
import { type Answer, askAgain, call, Refused, unauthorized } from "../api/client"

export type Who = Answer<"GET /api/v1/session">

// session is who is logged in. Without an answer yet it is undefined, and null
// if nobody is.
export const session = signal<Who | null | undefined>(undefined)

// refusal is why nobody is.
export const refusal = signal<Refused | undefined>(undefined)

// begin finds out who uses the console: somebody with a session, or with the
// address of belfry console, or anybody, where nobody has to log in.
export async function begin(): Promise<void> {
  const code = takeCode()
  try {
    if (code) session.value = await call("POST /api/v1/session", { body: { code } })
    else session.value = await call("GET /api/v1/session").catch((e) => (isUnauthorized(e) ? call("POST /api/v1/session", { body: {} }) : Promise.reject(e)))
    refusal.value = undefined
    askAgain() // what was refused meanwhile
  } catch (e) {
    if (!(e instanceof Refused)) {
      setTimeout(begin, 1000, code)
      return
    }
    session.value = null
    refusal.value = code || e.status !== 401 ? e : undefined
  }
}

function isUnauthorized(e: unknown): boolean {
  return e instanceof Refused && e.status === 401
}

// takeCode takes the code out of the address, where it would be kept in the
// history. It is behind the #, which browsers send to nobody.
function takeCode(): string {
  const code = new URLSearchParams(location.hash.slice(1)).get("code") ?? ""
  if (location.hash) history.replaceState(null, "", location.pathname + location.search)
  return code
}

export async function login(token: string): Promise<void> {
  session.value = await call("POST /api/v1/session", { body: { token } })
  refusal.value = undefined
}

export async function logout(): Promise<void> {
  await call("DELETE /api/v1/session")
  session.value = null
}

// A session that ends while it is used is noticed by the next call. Where
// nobody has to log in, the page gets another by itself.
let known = 0
effect(() => {
  const count = unauthorized.value
  if (count === known) return
  known = count
  if (session.peek()) void begin()
})
