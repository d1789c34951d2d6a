// The application's own auth endpoint: what it answers to a page, and whether what
// it has signed is right.

import type { Found, Run } from "./checks"
import type { Endpoint } from "./messages"

const failed = (detail: string, advice: string): Found => ({ verdict: "failed", detail, advice })

// maxBody is how much of an answer is read.
const maxBody = 64 << 10

// authorize asks the endpoint as pusher-js does.
export async function examine(run: Run, e: Endpoint, socket: string): Promise<Found> {
  const body = new URLSearchParams({ socket_id: socket, channel_name: e.channel })
  const signal = AbortSignal.timeout(10_000)
  let response: Response
  try {
    response = await fetch(e.url, { method: "POST", body, headers: e.headers, credentials: "omit", signal })
  } catch {
    return unreached(e)
  }
  const text = (await response.text().catch(() => "")).slice(0, maxBody)
  run.log(`the endpoint answered ${response.status} ${response.headers.get("content-type") ?? "without a type"}: ${text.slice(0, 500)}`)
  if (response.status === 403 || response.status === 401) return failed(`the endpoint refused it with ${response.status}`, "it says so to whoever is not logged in there, and this page is not. Give the headers with which the application asks, such as Authorization")
  if (response.status !== 200) return failed(`the endpoint answered ${response.status}`, response.status === 404 ? "is the path right? Laravel has /broadcasting/auth, the documentation of Pusher /pusher/auth" : "see the log of the backend")
  return judge(run, e, socket, response, text)
}

// unreached tells an endpoint that is not there from one that does not answer to
// pages of other origins.
async function unreached(e: Endpoint): Promise<Found> {
  try {
    await fetch(e.url, { method: "POST", mode: "no-cors", credentials: "omit", body: new URLSearchParams(), signal: AbortSignal.timeout(10_000) })
  } catch {
    return failed("nothing answers at the address of the endpoint", "is the backend running, and is the address the one that browsers use?")
  }
  return {
    verdict: "warning",
    detail: "the endpoint answers, but not to a page of another origin (CORS)",
    advice: "where the application's pages have the endpoint's origin, that is right, and cannot be tried from here. Otherwise let the endpoint answer OPTIONS, with Access-Control-Allow-Origin and the headers that pages send",
  }
}

async function judge(run: Run, e: Endpoint, socket: string, response: Response, text: string): Promise<Found> {
  let answer: { auth?: unknown; channel_data?: unknown; shared_secret?: unknown }
  try {
    answer = JSON.parse(text) as typeof answer
  } catch {
    const html = /^\s*</.test(text) || (response.headers.get("content-type") ?? "").includes("html")
    return failed(
      html ? "the endpoint answered with a page of HTML instead of JSON" : "the answer of the endpoint is not JSON",
      html ? "the request ended at a login or an error page: see the route, and which middleware is in front of it" : "let the server library of your backend make the answer",
    )
  }
  const { auth, channel_data: data, shared_secret: secret } = answer ?? {}
  if (typeof auth !== "string") return failed("the answer has no text auth", "let the server library of your backend make the answer")
  if (data !== undefined && data !== null && typeof data !== "string") return failed("channel_data in the answer is not a text", "it is JSON within a text: the very text that was signed")
  const given = { socket_id: socket, channel: e.channel, auth, ...(typeof data === "string" ? { channel_data: data } : {}), ...(typeof secret === "string" ? { shared_secret: secret } : {}) }
  const o = await run.ask("judge", given)
  if (o.text) run.log(`what was to be signed: ${o.text}`)
  return { verdict: o.verdict === "ok" ? "ok" : "failed", detail: o.detail, ...(o.advice ? { advice: o.advice } : {}) }
}
