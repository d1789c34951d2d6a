// Which page is shown stands in the address, with its filters.

import { signal } from "../signal"

export { match, to } from "./address"

// home is where the console is, "/console/" where no proxy has put it elsewhere.
const home = new URL(document.baseURI).pathname

function read(): { path: string; query: URLSearchParams } {
  const path = location.pathname.startsWith(home) ? location.pathname.slice(home.length) : ""
  return { path: path.replace(/\/+$/, ""), query: new URLSearchParams(location.search) }
}

const place = signal(read())

export const path = {
  get value() {
    return place.value.path
  },
}

export const query = {
  get value() {
    return place.value.query
  },
}

// go shows another page; to is an address below home.
export function go(to: string, how: "push" | "replace" = "push"): void {
  const url = new URL(to, new URL(home, location.href))
  if (how === "replace") history.replaceState(null, "", url)
  else history.pushState(null, "", url)
  place.value = read()
}

// setQuery changes parameters of the address, empty ones away.
export function setQuery(changes: Record<string, string>, how: "push" | "replace" = "replace"): void {
  const next = new URLSearchParams(query.value)
  for (const [name, value] of Object.entries(changes)) {
    if (value) next.set(name, value)
    else next.delete(name)
  }
  const text = next.toString()
  go((path.value || "./") + (text ? `?${text}` : ""), how)
}

// listenToLinks makes links within the console change the page without loading
// another.
export function listenToLinks(): void {
  addEventListener("popstate", () => (place.value = read()))
  document.addEventListener("click", (click) => {
    const link = (click.target as Element).closest?.("a[href]") as HTMLAnchorElement | null
    if (!link || click.defaultPrevented || click.button !== 0 || click.metaKey || click.ctrlKey || click.shiftKey || click.altKey) return
    if (link.target || link.hasAttribute("download") || link.origin !== location.origin || !link.pathname.startsWith(home)) return
    click.preventDefault()
    if (link.href !== location.href) go(link.pathname.slice(home.length) + link.search)
    scrollTo(0, 0)
    document.getElementById("main")?.focus()
  })
}
