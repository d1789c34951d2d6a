// The checks, in their order. Each has a client of its own or that of the features,
// and leaves nothing behind: names begin with what only tests have.

import { echo, Failure, join, median, next, open, type Options, type Pusher, transportOf, within } from "./client"
import type { Ask, Finding, Order } from "./messages"

export type Found = Omit<Finding, "check" | "took_ms" | "log">

// A Check is one thing to try. One that returns skipped was not tried.
export interface Check {
  name: string
  run: (run: Run) => Promise<Found>
  advice: string // if it fails and nothing better is known
  onMain?: boolean // it needs the client of the features
}

// A Run is one examination of a service.
export interface Run {
  order: Order
  ask: Ask
  log: (line: string) => void
  mark: string // random, in every name
  main?: Pusher | undefined // the client of the features, once there is one
  refused?: boolean // by the service itself, with a code
}

const prefix = "belfry-diagnostics-"

const found = (detail: string): Found => ({ verdict: "ok", detail })
const skipped = (detail: string, advice?: string): Found => ({ verdict: "skipped", detail, ...(advice ? { advice } : {}) })
const ms = (n: number): string => `${n < 10 ? n.toFixed(1) : Math.round(n)} ms`

// signed lets the console sign in place of an application.
function signed(run: Run): Pick<Options, "authorize" | "authenticate"> {
  return {
    authorize: (given, callback) => void run.ask("sign", { socket_id: given.socketId, channel: given.channelName }).then((r) => callback(null, r), (e: Error) => callback(e, null)),
    authenticate: (given, callback) => void run.ask("sign", { socket_id: given.socketId, user: userOf(run) }).then((r) => callback(null, r), (e: Error) => callback(e, null)),
  }
}

const userOf = (run: Run): string => `${prefix}${run.mark}`

// mainOf is the client of the features, where a check says that it needs it.
const mainOf = (run: Run): Pusher => run.main!

// brings subscribes to a channel, triggers an event there, and waits for it.
async function brings(run: Run, kind: string): Promise<Found> {
  const name = `${kind}${prefix}${run.mark}`
  const client = mainOf(run)
  const channel = await join(client, name)
  const arrived = next(channel, "hello")
  const start = performance.now()
  await run.ask("trigger", { name: "hello", channel: name, data: `{"mark":"${run.mark}"}` })
  await within(arrived, `the event on ${name} was accepted and did not arrive`)
  const took = performance.now() - start
  client.unsubscribe(name)
  return found(`subscribed to ${name}; an event arrived after ${ms(took)}`)
}

function transport(name: string, transports: string[], advice: string): Check {
  return {
    name,
    advice,
    run: async (run) => {
      const start = performance.now()
      const client = await open(run.order.service, { transports }, run.log)
      const took = performance.now() - start
      try {
        const echoes: number[] = []
        for (let i = 0; i < 5; i++) echoes.push(await echo(client))
        return found(`connected after ${ms(took)}; a ping takes ${ms(median(echoes))} (median of 5)`)
      } finally {
        client.disconnect()
      }
    },
  }
}

const upgrade = "a proxy in between does not pass WebSocket upgrades, or cuts them; belfry doctor tells which header is missing"
const held = "a proxy in between keeps back answers until they are complete, or cuts those that last; for nginx: proxy_buffering off"

const unsupported = /supports no such transport/

export const checks: Check[] = [
  {
    name: "connection",
    advice: "see whether the address is the one that clients use, and what the transports below say",
    run: async (run) => {
      const start = performance.now()
      run.main = await open(run.order.service, signed(run), run.log)
      const name = transportOf(run.main)
      const text = `connected by ${name} after ${ms(performance.now() - start)}, with all that pusher-js tries`
      return name === "ws" ? found(text) : { verdict: "warning", detail: text, advice: "it works, and not by WebSocket: see the check of that" }
    },
  },
  transport("websocket", ["ws", "wss"], upgrade),
  transport("xhr_streaming", ["xhr_streaming"], held),
  transport("xhr_polling", ["xhr_polling"], held),
  {
    name: "sockjs",
    advice: "",
    run: async () => skipped("SockJS does not run in a frame that is shut off, as this one is. Browsers of today do not need it", "belfry doctor tries it, without a browser"),
  },
  {
    name: "without websocket",
    advice: "clients for which WebSocket does not work can not connect; the HTTP transports must get through as well",
    run: async (run) => {
      const start = performance.now()
      const client = await open(run.order.service, { without: ["ws", "wss"] }, run.log)
      const name = transportOf(client)
      client.disconnect()
      return found(`where WebSocket is blocked, pusher-js takes ${name} after ${ms(performance.now() - start)}`)
    },
  },
  { name: "public channel", onMain: true, advice: "backend and client may talk to different services", run: (run) => brings(run, "") },
  { name: "private channel", onMain: true, advice: "see the refusal", run: (run) => brings(run, "private-") },
  { name: "presence channel", onMain: true, advice: "see the refusal", run: (run) => brings(run, "presence-") },
  {
    name: "encrypted channel",
    onMain: true,
    advice: "pusher-js needs the build with encryption",
    run: async (run) => {
      const name = `private-encrypted-${prefix}${run.mark}`
      await join(mainOf(run), name)
      mainOf(run).unsubscribe(name)
      return found(`subscribed to ${name}; what is sent there only a backend can encrypt, so that is not tried`)
    },
  },
  {
    name: "cache channel",
    onMain: true,
    advice: "see the errors of the app",
    run: async (run) => {
      const name = `cache-${prefix}${run.mark}`
      const client = mainOf(run)
      const missed = next(client.subscribe(name), "pusher:cache_miss")
      await within(missed, "the service did not say that the channel has no event")
      client.unsubscribe(name)
      return found("the service says that a new cache channel has no event")
    },
  },
  {
    name: "client event",
    onMain: true,
    advice: "see the errors of the app",
    run: async (run) => {
      if (!run.order.clientEvents) return skipped("the app does not take events of clients", "the setting client_events switches them on")
      const name = `private-${prefix}${run.mark}-clients`
      const other = await open(run.order.service, signed(run), run.log)
      try {
        const there = await join(other, name)
        const here = await join(mainOf(run), name)
        const arrived = next(there, "client-hello")
        here.trigger("client-hello", { mark: run.mark })
        await within(arrived, "an event of a client did not reach another one")
        mainOf(run).unsubscribe(name)
        return found("an event of one client reached another")
      } finally {
        other.disconnect()
      }
    },
  },
  {
    name: "sign-in",
    onMain: true,
    advice: "see the errors of the app",
    run: async (run) => {
      const client = mainOf(run)
      const success = new Promise<void>((resolve) => client.bind_global((event) => event === "pusher:signin_success" && resolve()))
      client.signin()
      await within(success, "the service did not confirm the sign-in")
      const arrived = next(client.user, "hello-user")
      await run.ask("trigger", { name: "hello-user", channel: `#server-to-user-${userOf(run)}`, data: "{}" })
      await within(arrived, "an event for the user did not arrive")
      return found("signed in, and an event for that user arrived")
    },
  },
  {
    name: "subscription count",
    onMain: true,
    advice: "see the setting subscription_count",
    run: async (run) => {
      if (!run.order.subscriptionCount) return skipped("the app does not tell subscription counts", "the setting subscription_count switches them on")
      const name = `${prefix}${run.mark}-count`
      const client = mainOf(run)
      const counted = next(client.subscribe(name), "pusher:subscription_count")
      const { subscription_count: n } = (await within(counted, "no count came")) as { subscription_count: number }
      client.unsubscribe(name)
      return found(`the count came: ${n}`)
    },
  },
  {
    name: "large event",
    onMain: true,
    advice: "a proxy or the setting websocket.send_buffer may be in the way",
    run: async (run) => {
      const name = `${prefix}${run.mark}-large`
      const client = mainOf(run)
      const channel = await join(client, name)
      const data = (bytes: number) => JSON.stringify("x".repeat(bytes - 2))
      const arrived = next(channel, "large")
      await run.ask("trigger", { name: "large", channel: name, data: data(run.order.largest) })
      await within(arrived, `an event of ${run.order.largest} bytes was accepted and did not arrive`)
      client.unsubscribe(name)
      const refused = await run.ask("trigger", { name: "large", channel: name, data: data(run.order.largest + 1) }).then(() => "", (e: Error) => e.message)
      if (!refused) return { verdict: "warning", detail: `an event of ${run.order.largest} bytes arrived, and a larger one was accepted too`, advice: "the app has no limit event_data" }
      return found(`an event of ${run.order.largest} bytes arrived; one byte more was refused, as it should be`)
    },
  },
  {
    name: "50 subscriptions",
    onMain: true,
    advice: "see the limit channels_per_connection",
    run: async (run) => {
      const client = mainOf(run)
      const names = Array.from({ length: 50 }, (_, i) => `${prefix}${run.mark}-${i}`)
      const start = performance.now()
      await Promise.all(names.map((name) => join(client, name)))
      const took = performance.now() - start
      for (const name of names) client.unsubscribe(name)
      return found(`50 subscriptions at once took ${ms(took)}`)
    },
  },
  {
    name: "reconnect",
    onMain: true,
    advice: "the client does not come back after it was sent away with 4200",
    run: async (run) => {
      const client = mainOf(run)
      const before = client.connection.socket_id
      const again = new Promise<void>((resolve) => client.connection.bind("connected", () => client.connection.socket_id !== before && resolve()))
      const start = performance.now()
      await run.ask("close", { socket: before })
      await within(again, "the client did not come back")
      return found(`closed with 4200 by the service, and back after ${ms(performance.now() - start)}`)
    },
  },
]

// failing is what is found where a check did not come through.
export function failing(check: Check, e: unknown): Found {
  const text = e instanceof Error ? e.message : String(e)
  if (unsupported.test(text)) return skipped(text)
  const code = e instanceof Failure ? e.code : undefined
  if (code === 403) return skipped(text) // whoever looks may not do it
  return { verdict: "failed", detail: text, advice: (code && byCode[code]) || check.advice, ...(code ? { code } : {}) }
}

// What to do about a code, as belfry doctor says it.
const byCode: Record<number, string> = {
  4000: "the app takes TLS only: the address of clients must be one with https",
  4001: "no app there has this key: see whether the address is that of this service",
  4003: "the app is disabled: enable it",
  4004: "the app has all the connections that its limit allows: raise it, or look who holds them",
  4005: "the service sees another path than /app/KEY; a prefix belongs into the address",
  4009: "the app takes clients of certain origins only, and this page is none of them. Whether real pages connect, can only be tried there",
  4100: "the node is full; see max_connections and the limit on open files",
}
