import type { KeyUse } from "../../api/schema"
import { counted } from "../../ui/list"
import { count } from "../../ui/numbers"
import { Empty } from "../../ui/state"
import { Text } from "../../ui/text"
import { Time } from "../../ui/time"

const kinds: Record<KeyUse["uses"][number]["kind"], string> = {
  request: "requests of a backend",
  connection: "connections of clients",
  signature: "signatures for clients",
}

// LastUse is when a key was used last.
export function LastUse({ use }: { use: KeyUse | undefined }) {
  if (!use) return <>…</>
  return use.last ? <Time at={use.last} /> : <>not since the nodes started</>
}

// Falling says in a sentence whether a key is still used.
export function Falling({ use }: { use: KeyUse | undefined }) {
  if (!use) return null
  return <>{use.last_hour > 0 ? `It was used ${counted(use.last_hour, "time")} in the last hour` : "It was not used in the last hour"}</>
}

// Users are who uses a key.
export function Users({ use }: { use: KeyUse | undefined }) {
  if (!use?.uses.length) {
    return (
      <Empty>
        <p>Nobody has used it since the nodes started.</p>
      </Empty>
    )
  }
  return (
    <ul>
      {use.uses.map((u) => (
        <li key={`${u.kind} ${u.by}`}>
          {u.kind !== "signature" && (u.by ? <Text value={u.by} max={100} /> : "Somebody who does not say with what")} {u.kind !== "signature" && "· "}
          {kinds[u.kind]}: {count(u.last_hour)} in the last hour, last <Time at={u.last} />
        </li>
      ))}
    </ul>
  )
}
