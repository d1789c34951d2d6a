import type { ComponentChildren } from "preact"
import { query, setQuery } from "../shell/router"

export interface Column<T> {
  key: string
  label: string
  value: (row: T) => ComponentChildren // undefined: there is none
  sort?: (row: T) => string | number // absent: it can not be sorted by
  number?: boolean
  whole?: boolean // is short, and stays in one line
}

interface TableProps<T> {
  label: string // for those who do not see it
  columns: Column<T>[]
  rows: T[]
  id: (row: T) => string
  unfold?: (row: T) => ComponentChildren // stands below a row that is open
}

// Table shows rows. How it is sorted, and which row is open, stand in the
// address. On a narrow screen each row is a card.
export function Table<T>({ label, columns, rows, id, unfold }: TableProps<T>) {
  const by = query.value.get("sort") ?? ""
  const down = by.startsWith("-")
  const column = columns.find((c) => c.key === by.replace(/^-/, "") && c.sort)
  const open = query.value.get("open")
  const sorted = column ? [...rows].sort((a, b) => compare(column.sort!(a), column.sort!(b)) * (down ? -1 : 1)) : rows
  const order = (c: Column<T>) => (c !== column ? "none" : down ? "descending" : "ascending")
  return (
    <div class="table" role="region" aria-label={label} tabIndex={0}>
      <table role="table" aria-label={label}>
        <thead role="rowgroup">
          <tr role="row">
            {columns.map((c) => (
              <th role="columnheader" scope="col" class={c.number ? "number" : undefined} aria-sort={c.sort ? order(c) : undefined}>
                {c.sort ? (
                  <button type="button" class="sort" onClick={() => setQuery({ sort: c === column && !down ? `-${c.key}` : c.key })}>
                    {c.label}
                    <span aria-hidden="true">{c === column ? (down ? " ▾" : " ▴") : ""}</span>
                  </button>
                ) : (
                  c.label
                )}
              </th>
            ))}
            {unfold && (
              <th role="columnheader" scope="col">
                <span class="unseen">Details</span>
              </th>
            )}
          </tr>
        </thead>
        <tbody role="rowgroup">
          {sorted.map((row) => {
            const key = id(row)
            const isOpen = open === key
            return (
              <>
                <tr role="row" key={key} class={isOpen ? "open" : undefined}>
                  {columns.map((c) => {
                    const value = c.value(row)
                    return (
                      <td role="cell" class={kind(c, value === undefined)} data-label={c.label}>
                        <div>{value ?? "–"}</div>
                      </td>
                    )
                  })}
                  {unfold && (
                    <td role="cell" class="unfold">
                      <button type="button" class="quiet" aria-expanded={isOpen} onClick={() => setQuery({ open: isOpen ? "" : key })}>
                        {isOpen ? "Hide" : "Show"}
                        <span class="unseen"> details</span>
                      </button>
                    </td>
                  )}
                </tr>
                {unfold && isOpen && (
                  <tr role="row" key={`${key} open`} class="detail">
                    <td role="cell" colSpan={columns.length + 1}>
                      {unfold(row)}
                    </td>
                  </tr>
                )}
              </>
            )
          })}
        </tbody>
      </table>
    </div>
  )
}

function kind<T>(c: Column<T>, none: boolean): string | undefined {
  return [c.number && "number", c.whole && "whole", none && "none"].filter(Boolean).join(" ") || undefined
}

function compare(a: string | number, b: string | number): number {
  if (typeof a === "number" && typeof b === "number") return a - b
  return String(a).localeCompare(String(b), undefined, { numeric: true })
}
