// pusher-js, as far as the checks need it. The library itself is loaded in front of
// this script, as applications load it.

import type { Service } from "./messages"

export interface Channel {
  bind(event: string, callback: (data: unknown) => void): void
  trigger(event: string, data: unknown): boolean
}

export interface Pusher {
  connection: {
    state: string
    socket_id: string
    connection?: { transport?: { name?: string } }
    bind(event: string, callback: (data: never) => void): void
    unbind(event: string, callback: (data: never) => void): void
    send_event(event: string, data: unknown): boolean
  }
  user: { bind(event: string, callback: (data: unknown) => void): void }
  bind_global(callback: (event: string, data: unknown) => void): void
  subscribe(channel: string): Channel
  unsubscribe(channel: string): void
  signin(): void
  disconnect(): void
}

type Callback = (error: Error | null, result: unknown) => void

declare const Pusher: {
  new (key: string, options: object): Pusher
  log: ((line: string) => void) | undefined
}

export const missing = (): boolean => typeof Pusher === "undefined"

// A Failure is why a check can not go on, with the code of the service if it gave one.
export class Failure extends Error {
  code: number | undefined
  constructor(text: string, code?: number) {
    super(text)
    this.code = code
  }
}

// patience is how long one step may take, in milliseconds.
export const patience = 10_000

// within fails what takes longer.
export function within<T>(what: Promise<T>, text: string, limit = patience): Promise<T> {
  let timer: number
  const late = new Promise<never>((_, reject) => {
    timer = window.setTimeout(() => reject(new Failure(text)), limit)
  })
  return Promise.race([what, late]).finally(() => clearTimeout(timer))
}

export interface Options {
  transports?: string[] // no others
  without?: string[] // all but these
  authorize?: (given: { socketId: string; channelName: string }, callback: Callback) => void
  authenticate?: (given: { socketId: string }, callback: Callback) => void
}

// open makes a client and waits until it is connected.
export async function open(s: Service, o: Options, log: (line: string) => void): Promise<Pusher> {
  Pusher.log = log
  const client = new Pusher(s.key, {
    cluster: "",
    wsHost: s.host, wsPort: s.port, wssPort: s.port, wsPath: s.path,
    httpHost: s.host, httpPort: s.port, httpsPort: s.port, httpPath: s.httpPath,
    forceTLS: s.tls,
    enableStats: false,
    ...(o.transports ? { enabledTransports: o.transports } : {}),
    ...(o.without ? { disabledTransports: o.without } : {}),
    ...(o.authorize ? { channelAuthorization: { customHandler: o.authorize } } : {}),
    ...(o.authenticate ? { userAuthentication: { customHandler: o.authenticate } } : {}),
  })
  const connected = new Promise<void>((resolve, reject) => {
    client.connection.bind("connected", () => resolve())
    client.connection.bind("failed", () => reject(new Failure("pusher-js says that this browser supports no such transport")))
    client.connection.bind("error", (e: { error?: { data?: { code?: number; message?: string } }; data?: { code?: number; message?: string } }) => {
      const { code, message } = e.error?.data ?? e.data ?? {}
      if (code) reject(new Failure(`the service refused the connection with ${code}: ${message ?? ""}`, code))
    })
  })
  try {
    await within(connected, `no connection within ${patience / 1000} s`)
  } catch (e) {
    client.disconnect()
    throw e
  }
  return client
}

// transportOf is the name of what a client is connected by.
export const transportOf = (client: Pusher): string => client.connection.connection?.transport?.name ?? "unknown"

// join subscribes and waits until the service agrees.
export function join(client: Pusher, name: string): Promise<Channel> {
  const channel = client.subscribe(name)
  const joined = new Promise<Channel>((resolve, reject) => {
    channel.bind("pusher:subscription_succeeded", () => resolve(channel))
    channel.bind("pusher:subscription_error", (e) => reject(new Failure(`the subscription to ${name} was refused: ${(e as { error?: string })?.error ?? "no reason given"}`, (e as { status?: number })?.status)))
  })
  return within(joined, `the service did not answer the subscription to ${name}`)
}

// next waits for an event. The promise is made before what causes the event.
export function next(channel: { bind(event: string, callback: (data: unknown) => void): void }, event: string): Promise<unknown> {
  return new Promise((resolve) => channel.bind(event, resolve))
}

// echo is how long a ping takes to come back, in milliseconds.
export async function echo(client: Pusher): Promise<number> {
  const start = performance.now()
  let heard: (message: { event: string }) => void = () => {}
  const pong = new Promise<void>((resolve) => {
    heard = (message) => message.event === "pusher:pong" && resolve()
    client.connection.bind("message", heard)
  })
  client.connection.send_event("pusher:ping", {})
  try {
    await within(pong, "a ping was not answered")
  } finally {
    client.connection.unbind("message", heard)
  }
  return performance.now() - start
}

// median of some numbers.
export function median(numbers: number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? 0
}
