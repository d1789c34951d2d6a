// Whether the node is there, and what it is.

import { type Answer, call, contact } from "../api/client"
import { session } from "./session"
import { signal } from "../signal"

export type Node = Answer<"GET /api/v1/node">
export type Cluster = Answer<"GET /api/v1/cluster">

export const node = signal<Node | undefined>(undefined)

// cluster is how the cluster is; undefined if the node is alone, or it can not
// be told.
export const cluster = signal<Cluster | undefined>(undefined)

// look is how often the node is asked, and patience how long it has to answer:
// its loss is noticed within five seconds.
const look = 2_000
const patience = 2_500

// watchNode looks for the node as long as the page is there.
export function watchNode(): void {
  let first = true
  const ask = async () => {
    if (session.value) {
      try {
        node.value = await call("GET /api/v1/node", { poll: true, patience })
        first = false
        if (node.value?.clustered && session.value?.role === "operator") cluster.value = await call("GET /api/v1/cluster", { poll: true }).catch(() => undefined)
      } catch {
        // call has told contact
      }
    }
    setTimeout(ask, contact.value.lost || (first && !node.value) ? 500 : look)
  }
  void ask()
}
