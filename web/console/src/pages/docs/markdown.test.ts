import assert from "node:assert/strict"
import { readdirSync, readFileSync } from "node:fs"
import { test } from "node:test"
import { type Block, blocks, plain, slug, spans, target } from "./markdown.ts"

test("a page is read as it is meant", () => {
  const page = blocks("# Codes `4100`\n\nSee [the list](protocol.md#errors), **all** of it\nand *more*.\n\n| Code | When |\n| --- | --- |\n| 4100 | `a|b` \\| c |\n\n* one\n  more\n\n  ```sh\n  ls\n  ```\n* two\n\n```yaml a.yaml\n# no heading\n```\n")
  assert.deepEqual(page.map((b) => b.kind), ["heading", "paragraph", "table", "list", "code"])
  const [heading, paragraph, table, list, code] = page as [Block & { kind: "heading" }, Block & { kind: "paragraph" }, Block & { kind: "table" }, Block & { kind: "list" }, Block & { kind: "code" }]
  assert.equal(heading.id, "codes-4100")
  assert.equal(plain(paragraph.spans), "See the list, all of it and more.")
  assert.deepEqual(table.rows.map((r) => r.map(plain)), [["4100", "a|b | c"]])
  assert.deepEqual(list.items.map((i) => i.map((b) => b.kind)), [["paragraph", "code"], ["paragraph"]])
  assert.equal(code.text, "# no heading")
  assert.equal(code.file, "a.yaml")
})

test("links lead to pages that are here", () => {
  assert.deepEqual(target("protocol", "#signed-requests"), { page: "protocol", at: "signed-requests" })
  assert.deepEqual(target("protocol", "webhooks.md"), { page: "webhooks", at: "" })
  assert.deepEqual(target("protocol", "start/node.md"), { page: "start/node", at: "" })
  assert.deepEqual(target("start/node", "../clients.md#a"), { page: "clients", at: "a" })
  for (const to of ["//[", "//x/docs/a.md", "../protocol/error.go", "design/2026-11-21-cluster.md", "javascript:alert(1)"]) assert.equal(target("protocol", to), undefined)
})

// The pages of the documentation are beside the source; where this test is run
// from elsewhere, they are found by the variable.
const dir = process.env.BELFRY_DOCS
test("all of the documentation is read", { skip: dir ? false : "BELFRY_DOCS does not name its directory" }, () => {
  for (const name of readdirSync(dir!, { recursive: true, encoding: "utf8" }).filter((n) => n.endsWith(".md"))) {
    const page = blocks(readFileSync(`${dir}/${name}`, "utf8"))
    const ids = new Set<string>()
    const texts: string[] = []
    const look = (list: Block[]) => {
      for (const b of list) {
        if (b.kind === "heading") ids.add(b.id)
        if (b.kind === "heading" || b.kind === "paragraph") texts.push(b.spans.filter((s) => typeof s === "string").join(""))
        if (b.kind === "list") b.items.forEach(look)
        if (b.kind === "table") {
          for (const r of b.rows) {
            assert.equal(r.length, b.head.length, `${name}: a row of a table has other columns than its head: ${r.map(plain).join(" | ")}`)
          }
        }
      }
    }
    look(page)
    assert.ok(ids.size > 0, name)
    for (const text of texts) assert.doesNotMatch(text, /`|\*\*|\]\(/, `${name}: ${text}`)
  }
})

test("headings are named as links name them", () => {
  assert.equal(slug("Why somebody did not get an event"), "why-somebody-did-not-get-an-event")
  assert.equal(slug("`path` and proxies"), "path-and-proxies")
  assert.deepEqual(spans("a * b"), ["a * b"])
})
