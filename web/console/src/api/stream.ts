// Reads server-sent events of the admin API. They are fetched, so that a refusal
// can be read, and who comes back goes on where he was.

import { type Refused, refusal } from "./client"
import { type Message, Messages } from "./messages"

// A State is how it is with a stream.
export type State = { is: "asking" } | { is: "open"; since: Date } | { is: "cut"; since: Date } | { is: "refused"; why: Refused }

interface Reader {
  last: string // the id of the message that was read last; "" begins anew
  signal: AbortSignal
  messages: (list: Message[]) => void
  state: (now: State) => void
}

const again = 1_000

// silence is after how long without a word a stream counts as cut: the service
// says something each 15 seconds.
const silence = 40_000

// follow reads until the signal, or a refusal, ends it. A stream that was cut is
// asked for again.
export async function follow(url: URL, reader: Reader): Promise<void> {
  const { signal, state } = reader
  let last = reader.last
  let poll = last !== ""
  state({ is: "asking" })
  while (!signal.aborted) {
    const quiet = new AbortController()
    let timer = setTimeout(() => quiet.abort(), silence)
    try {
      const headers: Record<string, string> = poll ? { "Belfry-Poll": "1" } : {}
      if (last) headers["Last-Event-ID"] = last
      const response = await fetch(url, { headers, cache: "no-store", redirect: "error", signal: AbortSignal.any([signal, quiet.signal]) })
      poll = true
      if (!response.ok || !response.body) {
        const why = refusal(response, await response.text(), true)
        if (response.status < 500) {
          state({ is: "refused", why })
          return
        }
        throw why
      }
      state({ is: "open", since: new Date() })
      const messages = new Messages()
      const text = response.body.pipeThrough(new TextDecoderStream()).getReader()
      for (let piece = await text.read(); !piece.done; piece = await text.read()) {
        clearTimeout(timer)
        timer = setTimeout(() => quiet.abort(), silence)
        const list = messages.take(piece.value)
        if (list.length > 0) {
          last = list.at(-1)!.id
          reader.messages(list)
        }
      }
    } catch {
      // it is asked for again
    } finally {
      clearTimeout(timer)
    }
    if (signal.aborted) return
    state({ is: "cut", since: new Date() })
    await new Promise((next) => setTimeout(next, again))
  }
}
