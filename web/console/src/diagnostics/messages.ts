// What the page of the console and the frame in which pusher-js runs tell each
// other. The frame has no session: what needs one, it asks the page to do.

// Verdicts are those of belfry doctor.
export type Verdict = "ok" | "warning" | "failed" | "skipped"

// A Finding is what one check has found.
export interface Finding {
  check: string
  verdict: Verdict
  detail: string
  advice?: string
  took_ms: number
  code?: number // with which the service has refused something
  log: string[]
}

// A Service is where clients reach an app.
export interface Service {
  host: string
  port: number
  tls: boolean
  path: string // in front of /app
  httpPath: string // in front of the HTTP transports
  key: string
}

// Order is what is to be checked.
export interface Order {
  service: Service
  clientEvents: boolean
  subscriptionCount: boolean
  largest: number // bytes of data that an event may have
  endpoint?: Endpoint // the application's own
  endpointOnly: boolean
}

// An Endpoint is what authorizes subscriptions to an application's channels.
export interface Endpoint {
  url: string
  headers: Record<string, string>
  channel: string
}

// Deeds are what the page does for the frame.
export interface Deeds {
  sign: { given: { socket_id: string; channel?: string; user?: string }; result: { auth: string; channel_data?: string; shared_secret?: string; user_data?: string } }
  trigger: { given: { name: string; channel: string; data: string }; result: undefined }
  close: { given: { socket: string }; result: undefined }
  judge: { given: { socket_id: string; channel: string; auth: string; channel_data?: string; shared_secret?: string }; result: { verdict: string; detail: string; advice?: string; text?: string } }
}

export type Ask = <D extends keyof Deeds>(deed: D, given: Deeds[D]["given"]) => Promise<Deeds[D]["result"]>

export type ToFrame = { order: Order } | { answer: number; result?: unknown; problem?: string; status?: number }
export type ToPage = { ready: true } | { ask: number; deed: keyof Deeds; given: unknown } | { checking: string } | { finding: Finding } | { done: true }
