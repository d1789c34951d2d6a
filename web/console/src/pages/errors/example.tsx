import type { ComponentChildren } from "preact"
import type { AppError } from "../../api/schema"
import { CodeMeaning } from "../../ui/code"
import { ChannelName, SocketName, UserName } from "../../ui/names"
import { Block, Code, Text } from "../../ui/text"
import { Time } from "../../ui/time"
import { to } from "../../shell/router"
import { See } from "../see"

// Example is the last error of a row, with what to look at next.
export function Example({ app, error: e }: { app: string | undefined; error: AppError }) {
  const x = e.example
  return (
    <>
      <p>
        The last one of which more is known, <Time at={x.at} />, on <Text value={x.node} max={60} />.
        {e.total > 1 && (
          <>
            {" "}
            The first was <Time at={e.first} />.
          </>
        )}
      </p>
      {x.text && <Block label="What was said" value={x.text} />}
      <dl class="facts-list">
        {x.code !== undefined && <Fact label={x.code < 1000 ? "Status" : "Code"} value={<CodeMeaning code={x.code} />} />}
        {x.channel && <Fact label="Channel" value={app ? <ChannelName app={app} value={x.channel} /> : <Code value={x.channel} />} />}
        {x.event && <Fact label="Event" value={<Code value={x.event} />} />}
        {x.socket && <Fact label="Connection" value={app ? <SocketName app={app} value={x.socket} /> : <Code value={x.socket} />} />}
        {x.user && <Fact label="User" value={app ? <UserName app={app} value={x.user} /> : <Code value={x.user} />} />}
        {x.key && <Fact label="Key" value={<Code value={x.key} />} />}
        {x.library && <Fact label="Library" value={<Text value={x.library} />} />}
        {x.origin && <Fact label="Origin" value={<Code value={x.origin} />} />}
        {x.address && <Fact label="Address" value={<Code value={x.address} />} />}
      </dl>
      {app && e.from === "webhook" && (
        <p class="actions">
          <a href={to("apps/:app/webhooks", { app })}>Webhooks</a>
          <a href={to("dead-letters", {}, { app })}>Events that were not delivered</a>
        </p>
      )}
      {app && (x.channel || x.socket || x.user) && <See app={app} of={{ channel: x.channel, socket: x.socket, event: x.event, user: x.socket ? undefined : x.user }} />}
    </>
  )
}

function Fact({ label, value }: { label: string; value: ComponentChildren }) {
  return (
    <div>
      <dt>{label}</dt>
      <dd>{value}</dd>
    </div>
  )
}
