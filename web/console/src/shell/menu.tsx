import { useState } from "preact/hooks"
import { pages } from "../pages"
import { Text } from "../ui/text"
import { may } from "./may"
import type { Page } from "./page"
import { nameOf } from "./named"
import { node } from "./reach"
import { to } from "./router"

// Menu lists the pages of the service, and those of the app that is shown.
export function Menu({ app, current }: { app: string; current: Page | undefined }) {
  const [open, setOpen] = useState(false)
  const witness = node.value?.witness
  const listed = (of: "service" | "app") => pages.filter((p) => p.menu?.of === of && (!witness || p.witness) && may(p.least ?? "viewer"))
  const item = (p: Page) => (
    <li key={p.path}>
      <a href={to(p.path, { app })} aria-current={p === current ? "page" : current?.path.startsWith(`${p.path}/:`) ? "true" : undefined} onClick={() => setOpen(false)}>
        {p.menu?.name ?? p.title}
      </a>
    </li>
  )
  return (
    <nav class="menu" aria-label="Pages" data-open={open}>
      <button type="button" class="toggle quiet" aria-expanded={open} onClick={() => setOpen(!open)}>
        Menu{current ? `: ${current.title}` : ""}
      </button>
      <div class="items">
        <ul>{listed("service").map(item)}</ul>
        {app && (
          <>
            <h2>
              <Text value={nameOf(app)} max={60} />
            </h2>
            <ul>{listed("app").map(item)}</ul>
          </>
        )}
      </div>
    </nav>
  )
}
