import { query, setQuery } from "../../shell/router"
import { Choice, Filter } from "../../ui/list"
import { count } from "../../ui/numbers"
import { Text } from "../../ui/text"
import { titled } from "../errors/causes"
import type { Filters, Live } from "./live"
import { asText, groups, said, type Type, types } from "./words"

// parameters are those of the address by which the service filters.
export const parameters = ["type", "channel", "event", "socket", "user", "node", "rate", "sample", "data"] as const

// filtersOf are the filters of an address; nothing if they want no row.
export function filtersOf(q: URLSearchParams): Filters | undefined {
  const chosen = said(q.get("type") ?? "")
  if (chosen.length === 0) return undefined
  const list = (name: string) => (q.get(name) ? [q.get(name)!] : undefined)
  return {
    type: q.get("type") ? chosen : undefined,
    channel: list("channel"),
    event: list("event"),
    socket: list("socket"),
    user: list("user"),
    node: list("node"),
    rate: q.get("rate") ?? undefined,
    sample: (q.get("sample") as number | null) ?? undefined,
    data: q.get("data") === "false" ? false : undefined,
  }
}

// Choose sets the filters, which stand in the address.
export function Choose({ live }: { live: Live }) {
  const hidden = query.value.get("data") === "false"
  return (
    <>
      <div class="filters fields">
        <Filter name="channel" label="Channel" placeholder="orders, private-*" />
        <Filter name="event" label="Event" placeholder="created, client-*" />
        <Filter name="socket" label="Connection" placeholder="1234.5678" />
        <Filter name="user" label="User" placeholder="user id" />
        <Filter name="text" label="Text" placeholder="in what has come" search />
        {live.nodes.length > 1 && <Choice name="node" label="Node" choices={[["", "all"], ...live.nodes.map((n): [string, string] => [n.name, n.name])]} />}
        <Choice name="rate" label="Rows a second" choices={[["10", "10"], ["", "50"], ["full", "1,000"]]} />
        <Choice name="sample" label="Channels" choices={[["", "all"], ["10", "one in 10"], ["100", "one in 100"]]} />
      </div>
      <details class="types">
        <summary>{typesTitle()}</summary>
        <Types />
      </details>
      <p>
        <label class="choice">
          <input type="checkbox" checked={!hidden} onChange={(e) => setQuery({ data: e.currentTarget.checked ? "" : "false" })} />
          Show the data of events
        </label>
      </p>
      <Frequent label="Channels" name="channel" top={live.channels.top(5, Date.now())} />
      <Frequent label="Events" name="event" top={live.events.top(5, Date.now())} />
    </>
  )
}

function typesTitle(): string {
  const n = said(query.value.get("type") ?? "").length
  return n === types.length ? "Types of rows: all" : `Types of rows: ${n} of ${types.length}`
}

// Types are asked for or not: what is not chosen does not come over the wire.
function Types() {
  const chosen = said(query.value.get("type") ?? "")
  const choose = (list: Type[]) => setQuery({ type: asText(types.filter((t) => list.includes(t))) })
  const names = [...new Set(Object.values(groups))]
  return (
    <>
      <p class="actions">
        <button type="button" class="quiet" onClick={() => choose(types)}>
          All
        </button>
        <button type="button" class="quiet" onClick={() => choose([])}>
          None
        </button>
        <button type="button" class="quiet" onClick={() => choose(types.filter((t) => groups[t] === "Trouble"))}>
          Trouble alone
        </button>
        <button type="button" class="quiet" onClick={() => choose(types.filter((t) => groups[t] === "Events"))}>
          Events alone
        </button>
      </p>
      {names.map((name) => (
        <fieldset class="choices">
          <legend>{name}</legend>
          {types.filter((t) => groups[t] === name).map((t) => (
            <label key={t}>
              <input type="checkbox" checked={chosen.includes(t)} onChange={(e) => choose(e.currentTarget.checked ? [...chosen, t] : chosen.filter((c) => c !== t))} />
              {titled(t)}
            </label>
          ))}
        </fieldset>
      ))}
    </>
  )
}

// Frequent are the names that came most in the last minute, each a filter.
function Frequent({ label, name, top }: { label: string; name: "channel" | "event"; top: [string, number][] }) {
  if (top.length === 0) return null
  return (
    <p class="actions frequent" role="group" aria-label={`${label} of the last minute`}>
      <span class="hint">{label} of the last minute:</span>
      {top.map(([value, n]) => (
        <button type="button" class="link" key={value} onClick={() => setQuery({ [name]: value, open: "" }, "push")}>
          <Text value={value} max={40} />
          <span class="hint"> {count(n)}</span>
        </button>
      ))}
    </p>
  )
}
