import { duration, zone } from "./numbers"

const format = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" })

// Time shows a moment in the zone of the browser, and in UTC when it is
// pointed at.
export function Time({ at, age = true }: { at: string | Date; age?: boolean }) {
  const date = typeof at === "string" ? new Date(at) : at
  if (Number.isNaN(date.getTime())) return <>unknown</>
  const seconds = (Date.now() - date.getTime()) / 1000
  return (
    <time dateTime={date.toISOString()} title={`${date.toISOString()} (shown: ${zone})`}>
      {format.format(date)}
      {age && Math.abs(seconds) >= 1 && <span class="age"> {seconds >= 0 ? `${duration(seconds)} ago` : `in ${duration(-seconds)}`}</span>}
    </time>
  )
}
