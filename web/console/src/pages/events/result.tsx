import type { Answer } from "../../api/client"
import { Refused } from "../../api/client"
import { says } from "../../api/use"
import { to } from "../../shell/router"
import { CodeMeaning } from "../../ui/code"
import { counted } from "../../ui/list"
import { ChannelName, UserName } from "../../ui/names"
import { Notice } from "../../ui/state"
import { Code, Text } from "../../ui/text"
import { Time } from "../../ui/time"
import { See } from "../see"
import { userOf } from "./model"

// An Outcome is what is known of what was sent.
export interface Outcome {
  at: Date
  channels: string[]
  answer: Answer<"POST /api/v1/apps/{id}/events">
}

// Result tells what became of it: who got it, or why the service refused it.
export function Result({ app, problem, outcome }: { app: string; problem: unknown; outcome: Outcome | undefined }) {
  if (problem !== undefined) return <Failed problem={problem} />
  if (!outcome) return null
  const { here, elsewhere, event_ids: ids } = outcome.answer
  const nobody = here + elsewhere === 0
  return (
    <section aria-labelledby="result" class={`finding ${nobody ? "warn" : "good"}`}>
      <h2 id="result">{nobody ? "Nobody was subscribed" : "On its way"}</h2>
      <p role="status">
        {counted(here, "subscription")} on this node, {counted(elsewhere, "subscription")} on other nodes, at <Time at={outcome.at.toISOString()} age={false} />.
      </p>
      <ul>
        {outcome.channels.map((c) => {
          const user = userOf(c)
          return <li key={c}>{user ? <UserName app={app} value={user} /> : <ChannelName app={app} value={c} />}</li>
        })}
      </ul>
      {ids.map((id) => (
        <p key={id}>
          Event <Code value={id} /> <a href={to("apps/:app/explain", { app }, { event: id })}>Explain who got it</a>
        </p>
      ))}
      {nobody && outcome.channels.length === 1 && !userOf(outcome.channels[0]!) && (
        <p>
          <a href={to("apps/:app/channels", { app }, { prefix: outcome.channels[0]!.slice(0, Math.ceil(outcome.channels[0]!.length / 2)) })}>Channels that somebody is subscribed to, and that begin like it</a>
        </p>
      )}
      {outcome.channels.length === 1 && <See app={app} of={userOf(outcome.channels[0]!) ? { user: userOf(outcome.channels[0]!) } : { channel: outcome.channels[0] }} />}
    </section>
  )
}

function Failed({ problem }: { problem: unknown }) {
  return (
    <Notice kind="bad" alert>
      <p>
        <strong>Nothing was sent.</strong> <Text value={says(problem)} max={1_000} />
      </p>
      {problem instanceof Refused && (
        <p class="hint">
          A backend would get <CodeMeaning code={problem.status} />, in these words.
        </p>
      )}
    </Notice>
  )
}
