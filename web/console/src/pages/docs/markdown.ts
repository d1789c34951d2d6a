// Reads the documentation: the part of Markdown that its pages are written in.

// A Span is text of one kind.
export type Span = string | { kind: "code"; text: string } | { kind: "strong"; spans: Span[] } | { kind: "em"; spans: Span[] } | { kind: "link"; to: string; spans: Span[] }

export type Block =
  | { kind: "heading"; level: number; id: string; spans: Span[] }
  | { kind: "paragraph"; spans: Span[] }
  | { kind: "code"; text: string; file: string }
  | { kind: "list"; ordered: boolean; items: Block[][] }
  | { kind: "table"; head: Span[][]; rows: Span[][][] }

// codeLine begins an example, with its language and the file that it is in, and ends it.
const codeLine = /^\s*```\S* ?(.*)/
const item = /^(\*|-|\d+\.) +/
const row = /^\|.*\|$/

// blocks reads a page.
export function blocks(text: string): Block[] {
  return read(text.split("\n"))
}

function read(lines: string[]): Block[] {
  const out: Block[] = []
  let i = 0
  // take returns the lines from here on that go on with something.
  const take = (goesOn: (line: string) => boolean) => {
    const from = i
    while (i < lines.length && goesOn(lines[i]!)) i++
    return lines.slice(from, i)
  }
  while (i < lines.length) {
    const line = lines[i]!
    const heading = /^(#{1,6}) (.*)$/.exec(line)
    if (line.trim() === "") i++
    else if (heading) {
      i++
      out.push({ kind: "heading", level: heading[1]!.length, id: slug(heading[2]!), spans: spans(heading[2]!) })
    } else if (codeLine.test(line)) {
      i++
      out.push({ kind: "code", file: codeLine.exec(line)![1]!, text: take((l) => !codeLine.test(l)).join("\n") })
      i++
    } else if (row.test(line.trim())) {
      const [head, , ...rest] = take((l) => row.test(l.trim())).map(cells)
      out.push({ kind: "table", head: head!, rows: rest })
    } else if (item.test(line)) out.push(list(take((l) => item.test(l) || /^\s/.test(l) || l === "")))
    else out.push({ kind: "paragraph", spans: spans(take((l) => l.trim() !== "" && !codeLine.test(l) && !item.test(l)).join(" ")) })
  }
  return out
}

// list reads items, whose further lines are indented.
function list(lines: string[]): Block {
  const items: string[][] = []
  for (const line of lines) {
    const sign = item.exec(line)
    if (sign) items.push([line.slice(sign[0].length)])
    else items.at(-1)!.push(line.replace(/^ {1,3}/, ""))
  }
  return { kind: "list", ordered: /^\d/.test(lines[0]!), items: items.map(read) }
}

// cells reads a line of a table. A bar in code is part of it.
function cells(line: string): Span[][] {
  const inside = line.trim().replace(/^\|/, "").replace(/\|$/, "")
  return (inside.match(/(?:`[^`]*`|\\\||[^|])+/g) ?? []).map((cell) => spans(cell.trim().replaceAll("\\|", "|")))
}

const inline = /(`+)(.+?)\1|\*\*(.+?)\*\*|\*([^*\s](?:[^*]*[^*\s])?)\*|\[((?:`[^`]*`|[^\]])*)\]\(([^)\s]+)\)/g

// spans reads the text of a paragraph.
export function spans(text: string): Span[] {
  const out: Span[] = []
  let end = 0
  for (const m of text.matchAll(inline)) {
    if (m.index > end) out.push(text.slice(end, m.index))
    end = m.index + m[0].length
    if (m[2] !== undefined) out.push({ kind: "code", text: m[2] })
    else if (m[3] !== undefined) out.push({ kind: "strong", spans: spans(m[3]) })
    else if (m[4] !== undefined) out.push({ kind: "em", spans: spans(m[4]) })
    else out.push({ kind: "link", to: m[6]!, spans: spans(m[5]!) })
  }
  if (end < text.length) out.push(text.slice(end))
  return out
}

// plain is the text of spans alone.
export function plain(list: Span[]): string {
  return list.map((s) => (typeof s === "string" ? s : s.kind === "code" ? s.text : plain(s.spans))).join("")
}

// slug is how links name a heading.
export function slug(text: string): string {
  return plain(spans(text)).toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, "").replaceAll(" ", "-")
}

// target is where a link of a page leads within the console: to another page or to
// a heading; undefined if that is nothing that is here.
export function target(page: string, to: string): { page: string; at: string } | undefined {
  if (!URL.canParse(to, "docs:/")) return undefined
  const url = new URL(to, `docs:/docs/${page}.md`)
  const m = /^\/docs\/((?:(?:start|move)\/)?[\w-]+)\.md$/.exec(url.protocol === "docs:" && !url.host ? url.pathname : "")
  return m ? { page: m[1]!, at: decodeURIComponent(url.hash.slice(1)) } : undefined
}
