// Asks the admin API. Its answers come from strangers as much as from the
// service: whoever shows them uses ui/text.

import { signal } from "../signal"
import type { Calls, Problem } from "./schema"

export type Name = keyof Calls
type Part<N extends Name, P extends "path" | "query" | "body"> = Calls[N][P]
export type Answer<N extends Name> = Calls[N]["answer"]

// Given is what a call is asked with.
export interface Given<N extends Name> {
  path?: Part<N, "path">
  query?: Part<N, "query">
  body?: Part<N, "body">
  revision?: number // the only one that may be changed
  poll?: boolean // asked by the page itself, which is no use of the session
  patience?: number // after how long the node counts as lost, in milliseconds
  signal?: AbortSignal
}

// A Refused is what the API objects to.
export class Refused extends Error {
  status: number
  mistakes: { name: string; text: string }[]
  stale: boolean // whoever asks has logged in too long ago
  constructor(problem: Problem) {
    super(problem.detail ?? problem.title)
    this.status = problem.status
    this.mistakes = problem.mistakes ?? []
    this.stale = problem.title === "Log in again"
  }
}

// An Unreachable is a node that did not answer.
export class Unreachable extends Error {
  constructor() {
    super("The node does not answer.")
  }
}

const api = new URL("../", document.baseURI)

// patience is how long an answer may take.
const patience = 20_000

// ended is told when an answer says that there is no session.
let ended = () => {}

export function whenEnded(f: () => void): void {
  ended = f
}

// reached and lost are told to whoever shows whether the node is there.
export const contact = signal<{ lost: Date | null; healed: number }>({ lost: null, healed: 0 })

function reached(): void {
  const { lost, healed } = contact.value
  if (lost) contact.value = { lost: null, healed: healed + 1 }
}

function lost(): void {
  const { lost, healed } = contact.value
  if (!lost) contact.value = { lost: new Date(), healed }
}

// askAgain makes pages ask for what they show.
export function askAgain(): void {
  contact.value = { lost: null, healed: contact.value.healed + 1 }
}

// address is where a call is asked.
export function address<N extends Name>(name: N, given: Given<N>): URL {
  const template = name.split(" ")[1]!
  const path = template.replace(/\{(\w+)\}/g, (_, part: string) => encodeURIComponent(String((given.path as Record<string, unknown>)[part])))
  const url = new URL(path.slice(1), api)
  for (const [key, value] of Object.entries(given.query ?? {})) {
    if (value !== undefined && value !== "") url.searchParams.set(key, String(value))
  }
  return url
}

// call asks the API, and throws a Refused, an Unreachable, or the AbortError of
// given.signal.
export async function call<N extends Name>(name: N, given: Given<N> = {}): Promise<Answer<N>> {
  const [method, template] = name.split(" ") as [string, string]
  const url = address(name, given)
  const headers: Record<string, string> = {}
  if (given.body !== undefined) headers["Content-Type"] = "application/json"
  if (given.revision) headers["If-Match"] = `"${given.revision}"`
  if (given.poll) headers["Belfry-Poll"] = "1"
  const end = AbortSignal.timeout(given.patience ?? patience)
  let response: Response, text: string
  try {
    response = await fetch(url, {
      method,
      headers,
      body: given.body === undefined ? undefined : JSON.stringify(given.body),
      cache: "no-store",
      redirect: "error",
      signal: given.signal ? AbortSignal.any([given.signal, end]) : end,
    })
    text = await response.text()
  } catch (e) {
    if (given.signal?.aborted) throw e
    // An answer that is late may be one that takes long.
    if (!end.aborted || given.patience) lost()
    throw new Unreachable()
  }
  reached()
  if (response.ok) return (text ? JSON.parse(text) : undefined) as Answer<N>
  throw refusal(response, text, template !== "/api/v1/session")
}

// refusal is what is thrown for an answer; within a session, one that has ended is
// told.
export function refusal(response: Response, text: string, within: boolean): Refused {
  if (response.status === 401 && within) ended()
  return new Refused(problem(response, text))
}

// problem reads a refusal, also of something in between that is not the API.
function problem(response: Response, text: string): Problem {
  try {
    const p = JSON.parse(text) as Problem
    if (typeof p.status === "number") return p
  } catch {
    // said below
  }
  return { title: "", status: response.status, detail: `Something answered with status ${response.status}, and not as Belfry does.` }
}
