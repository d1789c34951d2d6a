// What a limit would hit now.

interface Now {
  connections: number
  last_minute: { backend_events: number }
}

// hit is what a limit that is to be set would hit at this moment, or nothing. What is
// below a limit on the average may be above it for a second.
export function hit(name: string, value: unknown, now: Now | undefined): string | undefined {
  const limit = Number(value)
  if (!now || value === null || value === "" || !(limit > 0)) return undefined
  if (name === "limits.connections" && now.connections > limit) {
    return `There are ${now.connections.toLocaleString()} connections now. They stay, and new ones are refused until there are fewer.`
  }
  const rate = now.last_minute.backend_events / 60
  if (name === "limits.backend_events_per_second" && rate > limit) {
    return `Backends triggered ${Math.round(rate).toLocaleString()} events a second in the last minute. What is above the limit would be refused.`
  }
  return undefined
}
