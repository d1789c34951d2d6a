// The events of webhooks, in the groups that the hosted service has.

export interface EventGroup {
  title: string
  events: string[]
}

export const eventGroups: EventGroup[] = [
  { title: "Channel existence", events: ["channel_occupied", "channel_vacated"] },
  { title: "Presence", events: ["member_added", "member_removed"] },
  { title: "Client events", events: ["client_event"] },
  { title: "Cache channels", events: ["cache_miss"] },
  { title: "Subscription count", events: ["subscription_count"] },
]

// spelled resolves the names of groups that a configuration may have.
export function spelled(events: string[]): string[] {
  return events.flatMap((e) => (e === "channel_existence" ? eventGroups[0]!.events : e === "presence" ? eventGroups[1]!.events : [e]))
}
