import type { Channel } from "../../api/schema"
import { size } from "../../ui/numbers"
import { Time } from "../../ui/time"

// Cached is the event that new subscribers of a cache channel get, without its data.
export function Cached({ cached }: { cached: NonNullable<Channel["cached"]> }) {
  return (
    <>
      {size(cached.bytes)}, until <Time at={cached.expires} short />
    </>
  )
}
