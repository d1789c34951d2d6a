import { Refused } from "../../api/client"
import { useAsk } from "../../api/use"
import { ChannelName, UserName } from "../../ui/names"
import { counted } from "../../ui/list"
import { Wait } from "../../ui/state"
import { userOf } from "./model"

// Audience says who would get an event at this moment. Nothing is sent for that.
export function Audience({ app, channels, except }: { app: string; channels: string[]; except: string }) {
  return (
    <section aria-labelledby="audience" class="finding">
      <h2 id="audience">Who would get it now</h2>
      <ul>
        {channels.map((c) => {
          const user = userOf(c)
          return <li key={c}>{user ? <OfUser app={app} user={user} /> : <OfChannel app={app} channel={c} except={except} />}</li>
        })}
      </ul>
      <p class="hint">Nothing was sent.</p>
    </section>
  )
}

function OfChannel({ app, channel, except }: { app: string; channel: string; except: string }) {
  const asked = useAsk("GET /api/v1/apps/{id}/channels/{channel}", { path: { id: app, channel }, query: { limit: 1 } })
  const left = useAsk("GET /api/v1/apps/{id}/connections/{socket}", { path: { id: app, socket: except } }, { off: !except })
  const nobody = asked.problem instanceof Refused && asked.problem.status === 404
  return (
    <>
      <ChannelName app={app} value={channel} /> {nobody ? "nobody" : <Wait asked={asked}>{(c) => counted(c.subscriptions, "subscription")}</Wait>}
      {left.data?.channels.some((s) => s.channel === channel) && `, but not ${except}`}
    </>
  )
}

function OfUser({ app, user }: { app: string; user: string }) {
  const asked = useAsk("GET /api/v1/apps/{id}/users/{user}", { path: { id: app, user } })
  const nobody = asked.problem instanceof Refused && asked.problem.status === 404
  return (
    <>
      <UserName app={app} value={user} /> {nobody ? "nobody" : <Wait asked={asked}>{(u) => counted(u.sockets, "connection")}</Wait>}
    </>
  )
}
