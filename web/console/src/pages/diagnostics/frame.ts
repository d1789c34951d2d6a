// The frame in which pusher-js runs, and what this page does for it. The frame can
// ask for nothing but what concerns names of tests.

import { call, Refused } from "../../api/client"
import type { App } from "../../api/schema"
import type { Deeds, Endpoint, Finding, Order, Service, ToFrame, ToPage } from "../../diagnostics/messages"
import { node } from "../../shell/reach"
import { says } from "../../api/use"

const prefix = "belfry-diagnostics-"

// ofTests are the channels and users to which a test may send.
const ofTests = new RegExp(`^(#server-to-user-|(private-|presence-|cache-|encrypted-)*)${prefix}[0-9a-f]+(-[a-z0-9]+)?$`)

// defaultHTTPPath stands in front of the HTTP transports unless the service says another.
const defaultHTTPPath = "/pusher"

// largest is how much data is sent where the app has no limit, or a very large one.
const largest = 100 << 10

export interface Examined {
  app: App
  at: string // the address of clients
  endpoint: Endpoint | undefined
  endpointOnly: boolean // and the connection that it is for
  first?: () => Promise<Finding>
  checking?: (check: string) => void
  found: (finding: Finding) => void
  done: () => void
}

function serviceAt(at: string, key: string): Service {
  const url = new URL(at)
  const tls = url.protocol === "https:"
  const path = url.pathname.replace(/\/+$/, "")
  return {
    host: url.hostname, // of IPv6 with its brackets, as pusher-js wants it
    port: Number(url.port) || (tls ? 443 : 80),
    tls,
    path,
    httpPath: path + (node.value?.http_path || defaultHTTPPath).replace(/\/+$/, ""),
    key,
  }
}

// deeds are what needs the session of this page.
function deeds(app: string): { [D in keyof Deeds]: (given: Deeds[D]["given"]) => Promise<Deeds[D]["result"]> } {
  const path = { id: app }
  return {
    sign: (body) => call("POST /api/v1/apps/{id}/diagnostics/sign", { path, body }),
    judge: (body) => call("POST /api/v1/apps/{id}/diagnostics/check", { path, body }),
    trigger: async ({ name, channel, data }) => {
      if (!ofTests.test(channel)) throw new Error("that is no channel of tests")
      await call("POST /api/v1/apps/{id}/events", { path, body: { name, channel, data } })
    },
    close: async ({ socket }) => {
      const there = await call("GET /api/v1/apps/{id}/connections/{socket}", { path: { id: app, socket } })
      if (!there.channels.every((c) => ofTests.test(c.channel))) throw new Error("that is no connection of tests")
      await call("DELETE /api/v1/apps/{id}/connections/{socket}", { path: { id: app, socket }, query: { code: "4200" } })
    },
  }
}

// examine makes all checks, and returns what ends it.
export function examine(e: Examined): () => void {
  const service = serviceAt(e.at, e.app.keys.at(-1)?.key ?? "")
  const limit = e.app.limits.event_data || largest
  const order: Order = {
    service,
    clientEvents: !!e.app.client_events,
    subscriptionCount: !!e.app.subscription_count,
    largest: Math.min(limit, largest),
    endpointOnly: e.endpointOnly,
    ...(e.endpoint ? { endpoint: e.endpoint } : {}),
  }
  const can = deeds(e.app.id)
  const frame = document.createElement("iframe")
  frame.setAttribute("sandbox", "allow-scripts")
  frame.title = "pusher-js"
  frame.hidden = true
  const where = new URL("diagnostics/frame", document.baseURI)
  where.searchParams.append("to", new URL(e.at).origin)
  if (e.endpoint) where.searchParams.append("to", new URL(e.endpoint.url).origin)
  frame.src = where.href
  const tell = (message: ToFrame) => frame.contentWindow?.postMessage(message, "*") // its origin has no name
  const answer = async ({ ask, deed, given }: { ask: number; deed: keyof Deeds; given: unknown }) => {
    try {
      if (!Object.hasOwn(can, deed)) throw new Error("there is no such deed")
      const result = await (can[deed] as (given: unknown) => Promise<unknown>)(given)
      tell({ answer: ask, result })
    } catch (problem) {
      tell({ answer: ask, problem: says(problem), ...(problem instanceof Refused ? { status: problem.status } : {}) })
    }
  }
  const hear = (message: MessageEvent<ToPage>) => {
    if (message.source !== frame.contentWindow) return
    const m = message.data
    if ("ready" in m) void begin()
    else if ("ask" in m) void answer(m)
    else if ("checking" in m) e.checking?.(m.checking)
    else if ("finding" in m) e.found(m.finding)
    else if ("done" in m) {
      end()
      e.done()
    }
  }
  const begin = async () => {
    if (e.first) e.found(await e.first())
    tell({ order })
  }
  const end = () => {
    removeEventListener("message", hear)
    frame.remove()
  }
  addEventListener("message", hear)
  document.body.append(frame)
  return end
}
