// Who uses the console.

import { type Answer, askAgain, call, Refused, whenEnded } from "../api/client"
import { signal } from "../signal"

export type Who = Answer<"GET /api/v1/session">

// session is who is logged in. Without an answer yet it is undefined, and null
// if nobody is.
export const session = signal<Who | null | undefined>(undefined)

// refusal is why nobody is.
export const refusal = signal<Refused | undefined>(undefined)

// turn counts what was done about the session. An answer to what was asked before
// somebody logged in or out says nothing of now.
let turn = 0

// begin finds out who uses the console: somebody with a session, or with the
// address of belfry console, or anybody, where nobody has to log in.
export async function begin(code = takeCode()): Promise<void> {
  const mine = ++turn
  const settle = (who: Who | null, why?: Refused) => {
    if (mine !== turn) return
    session.value = who
    refusal.value = why
    if (who) askAgain() // what was refused meanwhile
  }
  try {
    if (code) settle(await call("POST /api/v1/session", { body: { code } }))
    else settle(await call("GET /api/v1/session").catch((e) => (isUnauthorized(e) ? call("POST /api/v1/session", { body: {} }) : Promise.reject(e))))
  } catch (e) {
    if (e instanceof Refused) settle(null, code || e.status !== 401 ? e : undefined)
    else if (mine === turn) setTimeout(begin, 1000, code)
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
  const who = await call("POST /api/v1/session", { body: { token } })
  turn++
  session.value = who
  refusal.value = undefined
}

export async function logout(): Promise<void> {
  await call("DELETE /api/v1/session")
  turn++
  session.value = null
}

// A session that ends while it is used is noticed by the next call. Where
// nobody has to log in, the page gets another by itself.
whenEnded(() => {
  if (session.value) void begin()
})
