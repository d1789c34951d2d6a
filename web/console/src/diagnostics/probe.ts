// The script of the frame in which pusher-js runs. It is shut off from the console:
// the frame has an origin of its own, and with it neither cookie nor session. So
// what is loaded here, and what answers here, can do nothing there.

import { type Check, checks, failing, type Run } from "./checks"
import { Failure, missing } from "./client"
import { examine } from "./endpoint"
import type { Ask, Finding, Order, ToFrame, ToPage } from "./messages"

const tell = (message: ToPage): void => parent.postMessage(message, "*")

const waiting = new Map<number, { resolve: (result: never) => void; reject: (e: Error) => void }>()
let asked = 0

const ask: Ask = (deed, given) =>
  new Promise((resolve, reject) => {
    waiting.set(++asked, { resolve, reject })
    tell({ ask: asked, deed, given })
  })

addEventListener("message", (e: MessageEvent<ToFrame>) => {
  if (e.source !== parent) return
  if ("order" in e.data) {
    void examineAll(e.data.order)
    return
  }
  const { answer, result, problem, status } = e.data
  const who = waiting.get(answer)
  waiting.delete(answer)
  if (problem === undefined) who?.resolve(result as never)
  else who?.reject(new Failure(problem, status))
})

const maxLog = 200 // lines of one check

async function examineAll(order: Order): Promise<void> {
  const run: Run = { order, ask, log: () => {}, mark: Array.from(crypto.getRandomValues(new Uint8Array(6)), (b) => b.toString(16).padStart(2, "0")).join("") }
  const all = [...(order.endpointOnly ? checks.slice(0, 1) : checks), ...(order.endpoint ? [endpoint] : [])]
  for (const check of all) {
    tell({ checking: check.name })
    tell({ finding: await made(check, run) })
  }
  run.main?.disconnect()
  tell({ done: true })
}

// endpoint is made on the connection of the features.
const endpoint: Check = {
  name: "auth endpoint",
  advice: "see the log of the backend",
  run: (run) => examine(run, run.order.endpoint!, run.main?.connection.socket_id || "1.1"), // any socket id will do
}

async function made(check: Check, run: Run): Promise<Finding> {
  const log: string[] = []
  const start = performance.now()
  run.log = (line) => {
    if (log.length < maxLog) log.push(`${Math.round(performance.now() - start)} ms ${line}`)
  }
  const result = missing()
    ? { verdict: "skipped" as const, detail: "pusher-js is not in this binary" }
    : run.refused && check !== endpoint
      ? { verdict: "skipped" as const, detail: "the service has refused the connection, and would by each transport" }
      : check.onMain && !run.main
        ? { verdict: "skipped" as const, detail: "there is no connection to try it on" }
        : await check.run(run).catch((e: unknown) => failing(check, e))
  run.refused ||= check.name === "connection" && "code" in result && !!result.code
  return { ...result, check: check.name, took_ms: Math.round(performance.now() - start), log }
}

tell({ ready: true })
