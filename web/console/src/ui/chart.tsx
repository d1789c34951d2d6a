import { useEffect, useRef, useState } from "preact/hooks"
import { counts, moments, nearest, path, type Place } from "./axis"
import { count, short } from "./numbers"

export interface Series {
  label: string
  values: (number | null)[] // null is a gap
}

interface ChartProps {
  label: string
  times: number[] // in seconds, in order
  series: Series[] // at most four
  line?: { label: string; value: number } // a limit
}

const height = 220
const edge = { left: 52, right: 8, top: 8, bottom: 24 }

const hours = new Intl.DateTimeFormat(undefined, { timeStyle: "short" })
const days = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric" })
const whole = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" })

// Chart draws series over time. Pointing at it, or arrow keys, read the values at
// one time. All of them stand in a table as well, for whoever can not see it.
// Colours and dashes, which tell series apart, are those of the style sheet.
export function Chart({ label, times, series, line }: ChartProps) {
  const host = useRef<HTMLDivElement>(null)
  const width = useWidth(host)
  const [at, setAt] = useState<number | null>(null)
  const read = at === null ? null : Math.min(at, times.length - 1) // times may have become fewer
  const first = times[0] ?? 0
  const last = times.at(-1) ?? first
  const most = counts(Math.max(0, line?.value ?? 0, ...series.flatMap((s) => s.values.map((v) => v ?? 0))))
  const inner = Math.max(1, width - edge.left - edge.right)
  const place: Place = (time, value) => [
    edge.left + (last > first ? (time - first) / (last - first) : 0.5) * inner,
    height - edge.bottom - (value / most.at(-1)!) * (height - edge.bottom - edge.top),
  ]
  const point = (e: PointerEvent) => {
    const x = e.clientX - host.current!.getBoundingClientRect().left - edge.left
    setAt(nearest(times, first + (x / inner) * (last - first)))
  }
  const press = (e: KeyboardEvent) => {
    const next = step(e.key, read ?? times.length - 1, times.length)
    if (next === undefined) return
    e.preventDefault()
    setAt(next)
  }
  const values = series.map((s) => `${s.label} ${read === null ? "" : (s.values[read] == null ? "not known" : count(s.values[read]))}`)
  const time = read === null ? "" : whole.format(times[read]! * 1000)
  return (
    <figure class="chart">
      <figcaption>{label}</figcaption>
      <div
        class="plot" ref={host} tabIndex={0} role="slider" aria-label={`${label}: the time to read. The table below has the same numbers.`}
        aria-valuemin={0} aria-valuemax={Math.max(0, times.length - 1)} aria-valuenow={read ?? Math.max(0, times.length - 1)}
        aria-valuetext={read === null ? "Arrow keys read the values." : [time, ...values].join(", ")}
        onPointerMove={point} onPointerDown={point} onPointerLeave={() => setAt(null)} onBlur={() => setAt(null)} onKeyDown={press}
      >
        <svg width={width} height={height} aria-hidden="true">
          <Axes marks={most} from={first} to={last} place={place} width={width} />
          {line && <path class="line limit" d={path([first, last], [line.value, line.value], place)} />}
          {series.map((s, i) => <path class={`line series-${i + 1}`} d={path(times, s.values, place)} />)}
          {read !== null && <path class="read" d={`M${place(times[read]!, 0)[0]} ${edge.top}V${height - edge.bottom}`} />}
          {read !== null && series.map((s, i) => s.values[read] != null && <circle class={`series-${i + 1}`} {...centre(place(times[read]!, s.values[read]!))} r="4" />)}
        </svg>
      </div>
      <ul class="legend" aria-hidden="true">
        {values.map((text, i) => <Sample kind={`series-${i + 1}`}>{text}</Sample>)}
        {line && <Sample kind="limit">{`${line.label} ${count(line.value)}`}</Sample>}
        <li>{time}</li>
      </ul>
    </figure>
  )
}

const centre = ([cx, cy]: [number, number]) => ({ cx, cy })

// step says where a key leads from i, or nothing if it leads nowhere.
function step(key: string, i: number, length: number): number | null | undefined {
  const by: Record<string, number> = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10, Home: -length, End: length }
  if (key === "Escape") return null
  return length > 0 && key in by ? Math.max(0, Math.min(length - 1, i + by[key]!)) : undefined
}

// useWidth is how wide an element is.
function useWidth(element: { current: HTMLElement | null }): number {
  const [width, setWidth] = useState(0)
  useEffect(() => {
    const resized = new ResizeObserver((sizes) => setWidth(sizes.at(-1)!.contentRect.width))
    resized.observe(element.current!)
    return () => resized.disconnect()
  }, [])
  return width
}

function Sample({ kind, children }: { kind: string; children: string }) {
  return (
    <li>
      <svg width="28" height="10">
        <path class={`line ${kind}`} d="M2 5h24" />
      </svg>
      {children}
    </li>
  )
}

interface AxesProps {
  marks: number[]
  from: number
  to: number
  place: Place
  width: number
}

function Axes({ marks, from, to, place, width }: AxesProps) {
  const times = to > from ? moments(from, to, Math.max(1, Math.floor(width / 90))) : [from]
  return (
    <>
      {marks.map((value) => {
        const y = place(from, value)[1]
        return (
          <>
            <path class="grid" d={`M${edge.left} ${y}H${width - edge.right}`} />
            <text x={edge.left - 6} y={y + 4} text-anchor="end">{short(value)}</text>
          </>
        )
      })}
      {times.map((time) => {
        const x = place(time, 0)[0]
        const date = new Date(time * 1000)
        const midnight = date.getHours() === 0 && date.getMinutes() === 0
        const anchor = x > width - 24 ? "end" : x < 24 ? "start" : "middle"
        return (
          <>
            <path class="grid" d={`M${x} ${edge.top}V${height - edge.bottom}`} />
            <text x={x} y={height - 6} text-anchor={anchor}>{(midnight ? days : hours).format(date)}</text>
          </>
        )
      })}
    </>
  )
}
