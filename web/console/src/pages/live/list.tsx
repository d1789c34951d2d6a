import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks"
import { setQuery } from "../../shell/router"
import { size } from "../../ui/numbers"
import { Text } from "../../ui/text"
import { Moment } from "../../ui/time"
import { titled } from "../errors/causes"
import type { Entry } from "./log"
import { groups, interruption, interrupts, summary, type Type } from "./words"

interface ListProps {
  view: Entry[] // the newest last
  added: number // tells a view from the same one with more in it
  scrolled: boolean
  cursor: number | null
  open: Entry | undefined
  clustered: boolean
  onScrolled: (is: boolean) => void
  onCursor: (number: number | null) => void
}

const names = ["Time", "Type", "Channel", "Event", "Connection", "User", "Size", "Node", "Detail"]

// beyond is how many rows are made above and below those that are seen.
const beyond = 6

// List shows the newest row on top. However many there are, those that can be
// seen are made.
export function List({ view, scrolled, cursor, open, clustered, onScrolled, onCursor }: ListProps) {
  const box = useRef<HTMLDivElement>(null)
  const sample = useRef<HTMLDivElement>(null)
  const [{ row, height }, setSize] = useState({ row: 32, height: 600 })
  const [top, setTop] = useState(0)
  useEffect(() => {
    const resized = new ResizeObserver(() => setSize({ row: sample.current?.offsetHeight || 32, height: box.current?.clientHeight || 600 }))
    resized.observe(box.current!)
    resized.observe(sample.current!)
    return () => resized.disconnect()
  }, [])
  useLayoutEffect(() => {
    if (!scrolled && box.current!.scrollTop !== 0) box.current!.scrollTop = 0
  }, [scrolled])
  const at = cursor === null ? -1 : view.length - 1 - view.findIndex((e) => e.number === cursor)
  useLayoutEffect(() => {
    if (at < 0) return
    const b = box.current!
    const head = b.querySelector<HTMLElement>(".names")!.offsetHeight
    if (at * row < b.scrollTop) b.scrollTop = at * row
    else if ((at + 1) * row > b.scrollTop + b.clientHeight - head) b.scrollTop = (at + 1) * row - b.clientHeight + head
  }, [at, row])
  useLayoutEffect(() => {
    if (at >= 0) box.current!.querySelector<HTMLElement>(`[data-number="${cursor}"] button`)?.focus({ preventScroll: true })
  })
  const scroll = () => {
    setTop(box.current!.scrollTop)
    onScrolled(box.current!.scrollTop > row / 2)
  }
  const blur = (e: FocusEvent) => {
    if (box.current && !box.current.contains(e.relatedTarget as Node | null) && document.hasFocus()) onCursor(null)
  }
  const first = Math.max(0, Math.floor(top / row) - beyond)
  const last = Math.min(view.length, Math.ceil((top + height) / row) + beyond)
  const lines = []
  for (let i = first; i < last; i++) {
    const entry = view[view.length - 1 - i]!
    lines.push(<Line key={entry.number} entry={entry} index={i} y={i * row} open={entry === open} clustered={clustered} onFocus={onCursor} />)
  }
  return (
    <div class={clustered ? "stream clustered" : "stream"} ref={box} tabIndex={0} role="region" aria-label="What happens, the newest first" onScroll={scroll} onFocusOut={blur}>
      <div role="table" aria-label="Rows" aria-rowcount={view.length + 1}>
        <div role="rowgroup" class="names">
          <div role="row" class="line" aria-rowindex={1}>
            {names.map((name) => (clustered || name !== "Node") && (
              <span role="columnheader" class={`of-${name.toLowerCase()}`}>
                {name}
              </span>
            ))}
          </div>
        </div>
        <div class="line sample" ref={sample} aria-hidden="true" />
        <div role="rowgroup" class="lines" style={{ height: `${view.length * row}px` }}>
          {lines}
        </div>
      </div>
    </div>
  )
}

interface LineProps {
  entry: Entry
  index: number
  y: number
  open: boolean
  clustered: boolean
  onFocus: (number: number) => void
}

function Line({ entry, index, y, open, clustered, onFocus }: LineProps) {
  const { row } = entry
  const place = { role: "row", "data-number": entry.number, "aria-rowindex": index + 2, style: { transform: `translateY(${y}px)` } } as const
  const focus = () => onFocus(entry.number)
  if (interrupts(row)) {
    return (
      <div {...place} class="line break">
        <span role="cell" aria-colspan={clustered ? 9 : 8}>
          {row.time && <Moment at={row.time} />} <Text value={interruption(row)} max={400} />
        </span>
      </div>
    )
  }
  if (row.type === "page") return null
  const r = row
  const toggle = () => setQuery({ open: open ? "" : r.event_id || entry.id })
  const click = () => {
    if (!getSelection()?.toString()) toggle()
  }
  const text = (value: string | undefined, max: number) => value !== undefined && <Text value={value} max={max} />
  return (
    <div {...place} class={`line${open ? " open" : ""}${groups[r.type as Type] === "Trouble" ? " trouble" : ""}`} onClick={click}>
      <span role="cell" class="of-time">
        <button type="button" class="link" aria-expanded={open} onFocus={focus} onClick={(e) => (e.stopPropagation(), toggle())}>
          <Moment at={r.time ?? ""} />
          <span class="unseen"> details</span>
        </button>
      </span>
      <span role="cell" class="of-type">{titled(r.type)}</span>
      <span role="cell" class="of-channel">{text(r.channel, 100)}</span>
      <span role="cell" class="of-event">{text(r.event, 100)}</span>
      <span role="cell" class="of-connection">{r.socket}</span>
      <span role="cell" class="of-user">{text(r.user, 60)}</span>
      <span role="cell" class="of-size">{r.size !== undefined && size(r.size)}</span>
      {clustered && <span role="cell" class="of-node">{text(r.node, 40)}</span>}
      <span role="cell" class="of-detail">{text(summary(r), 160)}</span>
    </div>
  )
}
