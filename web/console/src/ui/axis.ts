// Where the marks of the axes of a chart stand.

// counts are round numbers from 0 to the first that is not below most.
export function counts(most: number): number[] {
  const wanted = Math.max(5, most) / 5
  const unit = 10 ** Math.floor(Math.log10(wanted))
  const step = [1, 2, 5, 10].find((n) => n * unit >= wanted)! * unit
  return Array.from({ length: Math.ceil(Math.max(5, most) / step) + 1 }, (_, i) => i * step)
}

const day = 24 * 60

// steps are minutes that people count by.
const steps = [1, 5, 10, 15, 30, 60, 2 * 60, 3 * 60, 6 * 60, 12 * 60, day, 2 * day, 7 * day, 14 * day, 28 * day]

// moments are at most so many round times of the browser's zone between two, in
// seconds. They are counted from a midnight, also where a day has 23 hours.
export function moments(from: number, to: number, most: number): number[] {
  const step = steps.find((s) => (to - from) / 60 / s < most) ?? (to - from) / 60 / most
  const list: number[] = []
  const at = new Date(from * 1000)
  at.setHours(0, 0, 0, 0)
  while (at.getTime() <= to * 1000) {
    if (at.getTime() >= from * 1000) list.push(at.getTime() / 1000)
    at.setMinutes(at.getMinutes() + step)
  }
  return list
}

// A Place says where a value of one time stands in the picture.
export type Place = (time: number, value: number) => [number, number]

// path joins the values that follow each other. What stands between two gaps is
// a short line.
export function path(times: number[], values: (number | null)[], place: Place): string {
  const known = (i: number) => i >= 0 && i < values.length && values[i] !== null
  let d = ""
  values.forEach((value, i) => {
    if (value === null) return
    const [x, y] = place(times[i]!, value).map((n) => Math.round(n * 10) / 10) as [number, number]
    if (known(i - 1)) d += `L${x} ${y}`
    else if (known(i + 1)) d += `M${x} ${y}`
    else d += `M${x - 2} ${y}h4`
  })
  return d
}

// nearest is the index of the time that is nearest, of times in order.
export function nearest(times: number[], at: number): number {
  let i = times.findIndex((t) => t >= at)
  if (i < 0) i = times.length - 1
  return i > 0 && at - times[i - 1]! < times[i]! - at ? i - 1 : i
}
