import { useEffect, useRef, useState } from "preact/hooks"
import { Unreachable } from "../../api/client"
import { says } from "../../api/use"
import type { Page } from "../../shell/page"
import { query, to } from "../../shell/router"
import { Notice } from "../../ui/state"
import { Copy } from "../../ui/text"
import { type Block, blocks, plain, type Span, target } from "./markdown"

export const docsPage: Page = { path: "docs", title: "Documentation", view: View, menu: { of: "service", key: "q" }, witness: true }

// They are in one directory, and in directories below it.
export const docPages: Page[] = ["docs/:page", "docs/:dir/:page"].map((path) => ({ path, title: docsPage.title, view: View, witness: true }))

function View({ params }: { params: Record<string, string> }) {
  const page = [params.dir, params.page ?? "index"].filter(Boolean).join("/")
  const at = query.value.get("at") ?? ""
  const [read, setRead] = useState<Block[]>()
  const [problem, setProblem] = useState<unknown>()
  const element = useRef<HTMLDivElement>(null)
  useEffect(() => {
    const stop = new AbortController()
    load(page, stop.signal).then(setRead, (e) => stop.signal.aborted || setProblem(e))
    return () => stop.abort()
  }, [page])
  useEffect(() => {
    if (read && at) show(element.current!, at)
  }, [read, at])
  if (problem) {
    return (
      <Notice kind="bad" alert>
        <p>{says(problem)}</p>
      </Notice>
    )
  }
  return (
    <div class="document" ref={element}>
      {read?.map((b) => (
        <Part page={page} block={b} />
      ))}
    </div>
  )
}

async function load(page: string, signal: AbortSignal): Promise<Block[]> {
  const response = await fetch(new URL(`files/docs/${page.split("/").map(encodeURIComponent).join("/")}.md`, document.baseURI), { signal }).catch(() => undefined)
  if (!response) throw new Unreachable()
  if (!response.ok) return blocks(`# Not found\n\nThere is no such page. [All of them](../docs/index.md)`)
  return blocks(await response.text())
}

// show goes to a heading, or to the rows of tables that begin with what is meant,
// such as a code.
function show(document: HTMLElement, at: string): void {
  document.querySelectorAll(".meant").forEach((e) => e.classList.remove("meant"))
  const found = [...document.querySelectorAll<HTMLElement>("[data-at]")].filter((e) => e.dataset.at === at)
  found.forEach((e) => e.classList.add("meant"))
  found[0]?.scrollIntoView({ block: "center" })
}

function Part({ page, block: b }: { page: string; block: Block }) {
  switch (b.kind) {
    case "heading": {
      const Heading = `h${b.level}` as "h1"
      return (
        <Heading data-at={b.id}>
          <Spans page={page} spans={b.spans} />
        </Heading>
      )
    }
    case "paragraph":
      return (
        <p>
          <Spans page={page} spans={b.spans} />
        </p>
      )
    case "code":
      return (
        <>
          <div class="head file">
            <code>{b.file}</code>
            <Copy value={b.text} />
          </div>
          <pre tabIndex={0} role="group" aria-label={b.file || "Example"}>
            <code>{b.text}</code>
          </pre>
        </>
      )
    case "list": {
      const List = b.ordered ? "ol" : "ul"
      return (
        <List>
          {b.items.map((item) => (
            <li>{item.map((part) => (part.kind === "paragraph" ? <Spans page={page} spans={part.spans} /> : <Part page={page} block={part} />))}</li>
          ))}
        </List>
      )
    }
    case "table":
      return (
        <div class="table" role="region" aria-label={`Table: ${b.head.map(plain).join(", ")}`} tabIndex={0}>
          <table>
            <thead>
              <tr>
                {b.head.map((cell) => (
                  <th scope="col">
                    <Spans page={page} spans={cell} />
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {b.rows.map((row) => (
                <tr data-at={plain(row[0]!)}>
                  {row.map((cell, i) => (
                    <td data-label={plain(b.head[i] ?? [])}>
                      <div>
                        <Spans page={page} spans={cell} />
                      </div>
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )
  }
}

function Spans({ page, spans }: { page: string; spans: Span[] }) {
  return (
    <>
      {spans.map((s) => {
        if (typeof s === "string") return s
        if (s.kind === "code") return <code>{s.text}</code>
        const inside = <Spans page={page} spans={s.spans} />
        if (s.kind === "strong") return <strong>{inside}</strong>
        if (s.kind === "em") return <em>{inside}</em>
        // What is not in the console is named and not linked: the page goes nowhere else.
        const there = target(page, s.to)
        return there ? <a href={to(`docs/${there.page}`, {}, { at: there.at })}>{inside}</a> : inside
      })}
    </>
  )
}
