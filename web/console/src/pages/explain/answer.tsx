import type { Explanation } from "../../api/schema"
import { to } from "../../shell/router"
import { counted, PartOf } from "../../ui/list"
import { ChannelName, SocketName, UserName } from "../../ui/names"
import { size } from "../../ui/numbers"
import { Badge } from "../../ui/state"
import { Code, Text } from "../../ui/text"
import { Moment, Time } from "../../ui/time"
import { type Question, verdicts } from "./verdicts"

type Finding = Explanation["findings"][number]

// Answer is what became of an event: the verdicts first, and then from what they are
// concluded.
export function Answer({ app, explanation: e, question }: { app: string; explanation: Explanation; question: Question }) {
  return (
    <>
      <PartOf nodes={e.nodes} />
      {e.findings.map((f) => (
        <Found app={app} finding={f} channel={e.event?.channel ?? question.channel} />
      ))}
      {e.event && <Event app={app} event={e.event} />}
      {e.others && e.others.length > 0 && (
        <section aria-labelledby="others">
          <h3 id="others">Other events that fit</h3>
          <p>
            {e.others.map((id) => (
              <>
                <a href={to("apps/:app/explain", { app }, { event: id, socket: question.socket ?? "", user: question.user ?? "" })}>
                  <Text value={id} />
                </a>{" "}
              </>
            ))}
          </p>
        </section>
      )}
      <Horizon nodes={e.nodes} />
    </>
  )
}

function Found({ app, finding: f, channel }: { app: string; finding: Finding; channel: string | undefined }) {
  const { kind, title } = verdicts[f.verdict] ?? { kind: "off", title: f.verdict }
  return (
    <section class={`finding ${kind}`} aria-label={title}>
      {(f.socket || f.user) && (
        <p>
          {f.socket && <SocketName app={app} value={f.socket} />} {f.user && <UserName app={app} value={f.user} />}
        </p>
      )}
      <h3>
        <Badge kind={kind}>{title}</Badge>
      </h3>
      <p>
        <Text value={f.text} max={1_000} />
      </p>
      {f.advice && (
        <p>
          <strong>What to do:</strong> <Text value={f.advice} max={1_000} />
        </p>
      )}
      {(f.verdict === "nobody_subscribed" || f.verdict === "never_published" || f.verdict === "other_name") && <Similar app={app} channel={channel} />}
      {f.evidence.length > 0 && (
        <>
          <h4>What this is concluded from</h4>
          <ol class="timeline">
            {f.evidence.map((line) => (
              <li>
                <Moment at={line.time} />
                <span>
                  <Text value={line.text} max={400} />
                  {line.node && (
                    <span class="hint">
                      {" "}
                      on <Text value={line.node} max={60} />
                    </span>
                  )}
                </span>
              </li>
            ))}
          </ol>
        </>
      )}
      {f.unknown && f.unknown.length > 0 && (
        <>
          <h4>What is not known</h4>
          <ul>
            {f.unknown.map((text) => (
              <li>
                <Text value={text} max={400} />
              </li>
            ))}
          </ul>
        </>
      )}
    </section>
  )
}

// Similar leads to the channels that there are, of which one may have been meant.
function Similar({ app, channel = "" }: { app: string; channel: string | undefined }) {
  const prefix = channel.slice(0, Math.ceil(channel.length / 2))
  return (
    <p>
      <a href={to("apps/:app/channels", { app }, { prefix })}>Channels that somebody is subscribed to, and that begin like it</a>
    </p>
  )
}

function Event({ app, event: e }: { app: string; event: NonNullable<Explanation["event"]> }) {
  return (
    <section aria-labelledby="event">
      <h3 id="event">The event</h3>
      <dl class="facts-list">
        <div>
          <dt>Id</dt>
          <dd>
            <Code value={e.id} />
          </dd>
        </div>
        <div>
          <dt>Name</dt>
          <dd>
            <Text value={e.name} /> on <ChannelName app={app} value={e.channel} />
          </dd>
        </div>
        <div>
          <dt>Triggered</dt>
          <dd>
            <Time at={e.time} />
            {e.node && (
              <>
                {" "}
                on <Text value={e.node} max={60} />
              </>
            )}
            , {size(e.size)}
          </dd>
        </div>
        <div>
          <dt>Subscriptions then</dt>
          <dd>
            {counted(e.here, "subscription")} on that node, {counted(e.elsewhere, "subscription")} on others; handed to {counted(e.handed, "socket")}
          </dd>
        </div>
      </dl>
    </section>
  )
}

// Horizon says from when on each node knows something.
function Horizon({ nodes }: { nodes: Explanation["nodes"] }) {
  return (
    <details>
      <summary>From when on each node knows something</summary>
      <ul>
        {nodes.map((n) => (
          <li>
            {n.name ? <Text value={n.name} max={60} /> : "This node"}:{" "}
            {n.events_since && n.lives_since ? (
              <>
                events since <Time at={n.events_since} />, connections since <Time at={n.lives_since} />
              </>
            ) : (
              <Text value={n.detail ?? "it has not answered"} />
            )}
          </li>
        ))}
      </ul>
    </details>
  )
}
