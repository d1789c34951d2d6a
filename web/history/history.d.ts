import type Pusher from "pusher-js"

/** What became of a subscription that asked for missed events. */
interface Verdict {
  /** Absent when nothing could have been missed: the subscription was the first. */
  recovered?: boolean
  /** Why not: expired, unknown, malformed, lost or busy. */
  reason?: string
  /** How many events came before the verdict. */
  replayed: number
  /** Where the client is now. */
  position: string
}

interface Options {
  /** Where positions outlive the page, such as window.sessionStorage. Default: nowhere. */
  storage?: Pick<Storage, "getItem" | "setItem">
  /** How many of the last events a first subscription asks for. Default: none. */
  rewind?: number | ((channel: string) => number)
  /** Is called with every verdict. channel.bind("belfry:resume") works as well. */
  onVerdict?: (channel: string, verdict: Verdict) => void
}

interface History {
  position(channel: string): string | undefined
  /** The next subscription to the channel asks for nothing. */
  forget(channel: string): void
}

/** Makes a client ask for what it has missed. Call it before the first subscription. */
declare function belfryHistory(pusher: Pusher, options?: Options): History
export = belfryHistory
