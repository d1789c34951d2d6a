import { count } from "./numbers"

const height = 24
const width = 4 // of a bar, with the gap behind it

// Spark shows counts by the hour, the last at the right.
export function Spark({ counts, what }: { counts: number[]; what: string }) {
  const most = Math.max(1, ...counts)
  return (
    <svg class="spark" width={counts.length * width} height={height} role="img" aria-label={`${what} by the hour, the last at the end: ${counts.map(count).join(", ")}`}>
      {counts.map((n, i) => {
        const tall = n === 0 ? 1 : Math.max(3, Math.round((n / most) * height))
        return <rect x={i * width} y={height - tall} width={width - 1} height={tall} class={n === 0 ? "zero" : undefined} />
      })}
    </svg>
  )
}
