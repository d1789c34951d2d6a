import { useState } from "preact/hooks"
import type { App } from "../../api/schema"
import { useAsk } from "../../api/use"
import type { Page } from "../../shell/page"
import { go, query, to } from "../../shell/router"
import { Notice, Wait } from "../../ui/state"
import { Form } from "./form"
import { blank, type Draft, userOf } from "./model"
import { signal } from "../../signal"

export const eventsPage: Page = { path: "apps/:app/events", title: "Event Creator", view: View, least: "developer", menu: { of: "app", key: "f" } }

// waiting is what is to be filled in, beside what stands in the address: data does
// not belong there.
const waiting = signal<Partial<Draft> | undefined>(undefined)

// sendAgain fills an event in, and sends nothing.
export function sendAgain(app: string, event: { channel: string; name: string; data?: string; except?: string }): void {
  waiting.value = { data: event.data ?? "", except: event.except ?? "" }
  go(to(eventsPage.path, { app }, { channel: event.channel, event: event.name }))
}

// filled is the form as the address and whoever led here want it.
function filled(): Draft {
  const q = query.value
  const channels = (q.get("channel") ?? "").split("\n").filter(Boolean)
  const user = channels.length === 1 ? userOf(channels[0]!) : undefined
  const draft = { ...blank, channels: user ? [] : channels, to: user ? "user" : "channels", user: user ?? "", name: q.get("event") ?? "", ...waiting.value } as Draft
  waiting.value = undefined
  return draft
}

function View({ params }: { params: Record<string, string> }) {
  const id = params.app!
  const asked = useAsk("GET /api/v1/apps/{id}", { path: { id } })
  return (
    <>
      <h1>Event Creator</h1>
      <p>Triggers an event as a backend does: with the same checks, the same limits, and for the same subscribers.</p>
      <Wait asked={asked}>{(app) => <Creator app={app} />}</Wait>
    </>
  )
}

function Creator({ app }: { app: App }) {
  const [first] = useState(filled)
  return (
    <>
      {app.disabled && (
        <Notice kind="warn">
          <p>
            The app is disabled: nobody is connected, and every event is refused. <a href={to("apps/:app", { app: app.id })}>Enable it</a>
          </p>
        </Notice>
      )}
      <Form app={app} first={first} />
    </>
  )
}
