import { useState } from "preact/hooks"
import { call, Refused } from "../../api/client"
import type { Cluster, ClusterNode, EnginePeer, Finding } from "../../api/schema"
import { useAsk } from "../../api/use"
import type { Page } from "../../shell/page"
import { node } from "../../shell/reach"
import { Confirm } from "../../ui/dialog"
import { Command } from "../../ui/form"
import { count, duration, size } from "../../ui/numbers"
import { Badge, type Kind, Notice, Wait } from "../../ui/state"
import { type Column, Table } from "../../ui/table"
import { Text } from "../../ui/text"
import { Time } from "../../ui/time"
import { visible } from "../../ui/visible"
import { Drain } from "./drain"

export const clusterPage: Page = { path: "cluster", title: "Nodes", view: View, least: "operator", menu: { of: "service", key: "c" }, witness: true }

function View() {
  const n = node.value!
  return (
    <>
      <h1>Nodes</h1>
      <dl class="facts-list">
        <div>
          <dt>This node</dt>
          <dd>
            <Text value={n.name} max={80} />, version <Text value={n.version} max={60} />
            {n.witness && ", a witness"}
          </dd>
        </div>
        <div>
          <dt>Started</dt>
          <dd>
            <Time at={n.since} />
          </dd>
        </div>
        <div>
          <dt>State</dt>
          <dd>{n.ready ? <Badge kind="good">takes clients</Badge> : <Badge kind="warn">{visible(n.reason ?? "not ready")}</Badge>}</dd>
        </div>
        {!n.witness && (
          <div>
            <dt>Connections</dt>
            <dd>{count(n.connections ?? 0)}</dd>
          </div>
        )}
      </dl>
      {n.clustered ? <Status /> : <p>This node is alone. Several are one service with <code>--cluster-listen</code> and <code>--join</code>.</p>}
      <Drain />
      <Command>{n.clustered ? "belfry cluster status\nbelfry cluster remove NODE\nbelfry drain" : "belfry drain"}</Command>
    </>
  )
}

function Status() {
  const asked = useAsk("GET /api/v1/cluster", {}, { every: 2_000 })
  if (asked.problem instanceof Refused && asked.problem.status === 404) return <p>This node is alone.</p>
  return <Wait asked={asked}>{(status) => <Shown status={status} again={asked.again} />}</Wait>
}

function Shown({ status: s, again }: { status: Cluster; again: () => Promise<void> }) {
  const [remove, setRemove] = useState<string>()
  return (
    <>
      {s.problems.length === 0 ? (
        <Notice kind="good">
          <p>
            <Badge kind="good">ok</Badge> The cluster has no problems that <Text value={s.node.name} max={60} /> knows of.
          </p>
        </Notice>
      ) : (
        <Findings title={s.problems.length === 1 ? "1 problem" : `${s.problems.length} problems`} kind="bad" list={s.problems} />
      )}
      {s.notes.length > 0 && <Findings title="Notes" kind="off" list={s.notes} />}
      <h2>Nodes</h2>
      <Table label="Nodes" rows={s.nodes} id={(n) => n.id ?? n.name} columns={columns(setRemove)} unfold={(n) => <Link node={n} limit={s.pending_limit_bytes} />} />
      <h2>Engine</h2>
      <dl class="facts-list">
        <div>
          <dt>State</dt>
          <dd>
            <Badge kind={s.engine.state === "ok" ? "good" : "bad"}>{s.engine.state.replaceAll("_", " ")}</Badge>, {s.engine.embedded ? "in the nodes" : "an external NATS"}
          </dd>
        </div>
        <div>
          <dt>Quorum</dt>
          <dd>{s.quorum ? <Badge kind="good">yes</Badge> : <Badge kind="bad">no: nothing can be written</Badge>}</dd>
        </div>
        <div>
          <dt>Since the start</dt>
          <dd>
            {count(s.counters.decisions)} decisions, {count(s.counters.repairs)} resyncs, {count(s.counters.drops)} events dropped, {count(s.counters.slow_consumers)} times too slow
          </dd>
        </div>
      </dl>
      {s.engine.peers.length > 0 && <Table label="Members of the engine" rows={s.engine.peers} id={(p) => p.name} columns={peers} />}
      {remove !== undefined && (
        <Confirm
          title="Remove a node"
          action="Remove"
          typed={remove}
          onClose={() => setRemove(undefined)}
          run={async () => {
            await call("POST /api/v1/cluster/remove", { body: { name: remove } })
            await again()
          }}
        >
          <p>The cluster forgets the node: it does not count any more when a quorum is asked for, and others get the copies that it had. A node of that name may join again after five minutes.</p>
        </Confirm>
      )}
    </>
  )
}

function Findings({ title, kind, list }: { title: string; kind: Kind; list: Finding[] }) {
  return (
    <section aria-label={title}>
      <h2>{title}</h2>
      {list.map((f, i) => (
        <Notice kind={kind} key={`${f.code} ${f.node ?? ""} ${i}`}>
          <p>
            {f.node && (
              <strong>
                <Text value={f.node} max={80} />:{" "}
              </strong>
            )}
            <Text value={f.text} max={2_000} /> <code class="name">{f.code}</code>
          </p>
          {f.advice && (
            <p>
              <strong>What to do:</strong> <Text value={f.advice} max={2_000} />
            </p>
          )}
        </Notice>
      ))}
    </section>
  )
}

const kinds: Record<ClusterNode["state"], Kind> = {
  starting: "warn", ready: "good", draining: "warn", cut_off: "bad", suspect: "bad", leaving: "off", absent: "bad", unheard: "bad",
}

function columns(remove: (name: string) => void): Column<ClusterNode>[] {
  return [
    {
      key: "name",
      label: "Node",
      sort: (n) => n.name,
      value: (n) => (
        <>
          <Text value={n.name} max={80} />
          {n.self && <span class="hint"> this one</span>}
          {n.witness && <span class="hint"> witness</span>}
          {n.leader && <span class="hint"> leads the log</span>}
        </>
      ),
    },
    { key: "state", label: "State", sort: (n) => n.state, value: (n) => <Badge kind={kinds[n.state]}>{n.state.replaceAll("_", " ")}</Badge> },
    { key: "version", label: "Version", sort: (n) => n.version ?? "", value: (n) => <Text value={n.version ?? "–"} max={40} /> },
    { key: "connections", label: "Connections", number: true, sort: (n) => n.sockets, value: (n) => (n.witness ? "–" : count(n.sockets)) },
    { key: "heard", label: "Heard", number: true, sort: (n) => n.last_heard_ms, value: (n) => (n.self ? "–" : n.last_heard_ms > 0 ? `${duration(n.last_heard_ms / 1000)} ago` : "never") },
    { key: "rtt", label: "Round trip", number: true, sort: (n) => n.round_trip_ms, value: (n) => (n.round_trip_ms > 0 ? `${n.round_trip_ms.toFixed(1)} ms` : "–") },
    {
      key: "remove",
      label: "Remove",
      value: (n) =>
        n.state === "absent" ? (
          <button type="button" class="danger" onClick={() => remove(n.name)}>
            Remove…<span class="unseen"> {visible(n.name)}</span>
          </button>
        ) : (
          "–"
        ),
    },
  ]
}

// Link is the way between the asked node and another, and what the log says.
function Link({ node: n, limit }: { node: ClusterNode; limit: number | undefined }) {
  const facts: [string, string][] = n.self
    ? []
    : [
        ["On the way to it", size(n.pending_bytes) + (limit ? ` of ${size(limit)}` : "")],
        ["Packets to it", count(n.sent)],
        ["Packets from it", count(n.received)],
        ["Lost from it", count(n.lost)],
        ["No room for", count(n.dropped)],
      ]
  if (n.lease) {
    facts.push(
      ["Wrote into the log", `${duration(n.lease.last_batch_ms / 1000)} ago${n.lease.suspect ? ", which is too long" : ""}`],
      ["Channels and members", count(n.lease.contributions)],
      ["Pending", count(n.lease.pending)],
      ["Not told to backends", count(n.lease.untold)],
    )
  }
  if (n.id) facts.push(["Id of this life", n.id])
  return (
    <dl class="facts-list">
      {facts.map(([label, value]) => (
        <div>
          <dt>{label}</dt>
          <dd>
            <Text value={value} />
          </dd>
        </div>
      ))}
    </dl>
  )
}

const peers: Column<EnginePeer>[] = [
  { key: "name", label: "Member", value: (p) => <Text value={p.name} max={80} /> },
  {
    key: "state",
    label: "State",
    value: (p) => (p.offline ? <Badge kind="bad">not heard</Badge> : p.current ? <Badge kind="good">{p.leader ? "leads" : "current"}</Badge> : <Badge kind="warn">catches up</Badge>),
  },
  { key: "lag", label: "Behind by", number: true, value: (p) => count(p.lag) },
]
