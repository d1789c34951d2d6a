import { useEffect, useRef, useState } from "preact/hooks"
import uPlot from "uplot"
import { theme } from "../shell/theme"
import { short } from "./numbers"

export interface Series {
  label: string
  values: (number | null)[] // null is a gap
}

interface ChartProps {
  label: string
  times: number[] // in seconds
  series: Series[]
  line?: { label: string; value: number } // a limit
}

const height = 220

// colours tell series apart, and so do dashes.
const colours = ["--chart-1", "--chart-2", "--chart-3", "--chart-4"]
const dashes = [[], [6, 4], [2, 3], [10, 3, 2, 3]]

// incrs are the steps of an axis that counts things.
const incrs = Array.from({ length: 14 }, (_, i) => [1, 2, 5].map((n) => n * 10 ** i)).flat()

// useDark reports whether the page is dark, as was chosen or as the system is.
function useDark(): boolean {
  const system = matchMedia("(prefers-color-scheme: dark)")
  const [is, setIs] = useState(system.matches)
  useEffect(() => {
    const changed = () => setIs(system.matches)
    changed()
    system.addEventListener("change", changed)
    return () => system.removeEventListener("change", changed)
  }, [])
  return theme.value === "system" ? is : theme.value === "dark"
}

// Chart draws series over time. What it shows stands in a table as well, which
// is for everybody who can not see it.
export function Chart({ label, times, series, line }: ChartProps) {
  const element = useRef<HTMLDivElement>(null)
  const dark = useDark()
  useEffect(() => {
    const host = element.current!
    const style = getComputedStyle(document.documentElement)
    const colour = (name: string) => style.getPropertyValue(name).trim()
    const axis = { stroke: colour("--soft"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line"), width: 1 } }
    const all = line ? [...series, { label: line.label, values: times.map(() => line.value) }] : series
    const plot = new uPlot(
      {
        width: host.clientWidth,
        height,
        series: [{}, ...all.map((s, i) => ({
          label: s.label,
          stroke: colour(line && i === series.length ? "--bad" : colours[i % colours.length]!),
          dash: line && i === series.length ? [4, 4] : dashes[i % dashes.length]!,
          width: 2,
          spanGaps: false,
          points: { show: s.values.filter((v) => v !== null).length < 3 }, // which no line joins
        }))],
        axes: [axis, { ...axis, values: (_, values) => values.map(short), size: 56, incrs }],
        scales: { y: { range: (_, __, max) => [0, Math.max(5, max * 1.1)] } },
        legend: { live: false },
      },
      [times, ...all.map((s) => s.values)],
      host,
    )
    const resized = new ResizeObserver(() => plot.setSize({ width: host.clientWidth, height }))
    resized.observe(host)
    return () => {
      resized.disconnect()
      plot.destroy()
    }
  }, [times, series, line?.value, dark])
  return (
    <figure class="chart">
      <figcaption>{label}</figcaption>
      <div class="plot" ref={element} role="img" aria-label={`${label}. The table below has the same numbers.`} />
    </figure>
  )
}
