// Numbers, sizes and times as people read them.

export const count = (n: number): string => n.toLocaleString()

// short is a number in at most four characters or so.
const compact = new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 1 })
export const short = (n: number): string => compact.format(n)

export function size(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`
  const units = ["KiB", "MiB", "GiB", "TiB"]
  let n = bytes / 1024
  let i = 0
  while (n >= 1024 && i < units.length - 1) {
    n /= 1024
    i++
  }
  return `${n.toLocaleString(undefined, { maximumFractionDigits: 1 })} ${units[i]}`
}

export function duration(seconds: number): string {
  if (seconds < 1) return milliseconds(seconds * 1000)
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`
  const parts: string[] = []
  let rest = Math.round(seconds)
  for (const [unit, length] of [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]] as const) {
    const n = Math.floor(rest / length)
    rest -= n * length
    if (n > 0) parts.push(`${n} ${unit}`)
  }
  return parts.slice(0, 2).join(" ")
}

// milliseconds are what something took that is measured in whole ones.
export const milliseconds = (n: number): string => (n < 1 ? "< 1 ms" : `${count(Math.round(n))} ms`)

export const zone = Intl.DateTimeFormat().resolvedOptions().timeZone
