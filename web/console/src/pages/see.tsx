import { pages } from "../pages"
import { may } from "../shell/may"
import { to } from "../shell/router"

const live = "apps/:app/live"

// A Subject is what more can be seen of: fields of a filter, and of a question.
export interface Subject {
  channel?: string | undefined
  socket?: string | undefined
  user?: string | undefined
  event?: string | undefined
}

// See leads from a channel, a connection or a user to what else is known of it.
export function See({ app, of }: { app: string; of: Subject }) {
  const { event, ...rest } = of
  const subject = Object.fromEntries(Object.entries(rest).filter((e): e is [string, string] => !!e[1]))
  return (
    <p class="actions">
      {may("developer") && pages.some((p) => p.path === live) && <a href={to(live, { app }, { ...subject, ...(event ? { event } : {}) })}>Watch in Live</a>}
      {may("developer") && <a href={to("apps/:app/explain", { app }, { ...subject, ...(event ? { name: event } : {}) })}>Explain a missing event</a>}
      {may("developer") && (of.channel || of.user) && <a href={to("apps/:app/events", { app }, { channel: of.channel ?? `#server-to-user-${of.user}`, event: event ?? "" })}>Send an event</a>}
      {of.channel && <a href={to("apps/:app/connections", { app }, { channel: of.channel })}>Its subscribers as a list</a>}
      {of.user && <a href={to("apps/:app/connections", { app }, { user: of.user })}>Connections of the user</a>}
    </p>
  )
}
