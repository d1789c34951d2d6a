import { duration, zone } from "./numbers"

const format = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" })
const ofToday = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" })
const toMilliseconds = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3 })

// Time shows a moment in the zone of the browser, and in UTC when it is
// pointed at. Where there is little room, a moment of today is its time alone.
export function Time({ at, age = true, short = false }: { at: string | Date; age?: boolean; short?: boolean }) {
  const date = typeof at === "string" ? new Date(at) : at
  if (Number.isNaN(date.getTime())) return <>unknown</>
  const seconds = (Date.now() - date.getTime()) / 1000
  return (
    <time dateTime={date.toISOString()} title={`${date.toISOString()} (shown: ${zone})`}>
      {short && date.toDateString() === new Date().toDateString() ? ofToday.format(date).replaceAll(/\s/g, "\u00a0") : format.format(date)}
      {age && Math.abs(seconds) >= 1 && <> <span class="age">{seconds >= 0 ? `${duration(seconds)} ago` : `in ${duration(-seconds)}`}</span></>}
    </time>
  )
}

// Moment shows when something was among others of the same minutes, to the
// millisecond.
export function Moment({ at }: { at: string }) {
  const date = new Date(at)
  if (Number.isNaN(date.getTime())) return <>unknown</>
  return (
    <time dateTime={at} title={`${at} (shown: ${zone})`}>
      {toMilliseconds.format(date).replaceAll(/\s/g, "\u00a0")}
    </time>
  )
}
