import { useEffect, useRef } from "preact/hooks"
import { pages } from "../pages"
import { Dialog } from "../ui/dialog"
import { may } from "./may"
import { go, to } from "./router"
import { signal } from "../signal"

// A Key is one of the page that is shown.
export interface Key {
  key: string
  means: string
  press: () => void
}

const ofPage = signal<Key[]>([])

// useKeys gives the page keys while it is shown.
export function useKeys(keys: Key[]): void {
  const latest = useRef(keys)
  latest.current = keys
  useEffect(() => {
    ofPage.value = keys.map((k, i) => ({ ...k, press: () => latest.current[i]!.press() }))
    return () => {
      ofPage.value = []
    }
  }, [])
}

// listenToKeys makes keys go to pages, and do what the page does with them; none of
// them changes anything in the service. It returns what ends that.
export function listenToKeys(app: () => string, help: () => void, find: () => void): () => void {
  let after = 0 // when g was pressed
  const press = (e: KeyboardEvent) => {
    const target = e.target as HTMLElement
    if ((e.ctrlKey || e.metaKey) && e.key === "k" && !document.querySelector("dialog[open]")) {
      e.preventDefault()
      find()
      return
    }
    if (e.ctrlKey || e.metaKey || e.altKey || e.isComposing) return
    if (target.closest("input, textarea, select, dialog, [contenteditable]")) return
    if (Date.now() - after < 1_500) {
      after = 0
      const page = pages.find((p) => p.menu?.key === e.key && may(p.least ?? "viewer") && (p.menu.of === "service" || app()))
      if (page) {
        e.preventDefault()
        go(to(page.path, { app: app() }))
      }
      return
    }
    switch (e.key) {
      case "g":
        after = Date.now()
        break
      case "/": {
        const filter = document.querySelector<HTMLInputElement>("main [type=search]")
        if (filter) {
          e.preventDefault()
          filter.focus()
        }
        break
      }
      case "?":
        help()
        break
      default: {
        const key = ofPage.value.find((k) => k.key === e.key)
        if (key) {
          e.preventDefault()
          key.press()
        }
      }
    }
  }
  addEventListener("keydown", press)
  return () => removeEventListener("keydown", press)
}

// Help lists the keys.
export function Help({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title="Keys" onClose={onClose}>
      <dl class="facts-list">
        {pages
          .filter((p) => p.menu && may(p.least ?? "viewer"))
          .map((p) => (
            <div>
              <dt>
                <kbd>g</kbd> <kbd>{p.menu!.key}</kbd>
              </dt>
              <dd>
                {p.title}
                {p.menu!.of === "app" && " of the app"}
              </dd>
            </div>
          ))}
        {ofPage.value.map((k) => (
          <div>
            <dt>
              <kbd>{k.key}</kbd>
            </dt>
            <dd>{k.means}</dd>
          </div>
        ))}
        <div>
          <dt>
            <kbd>Ctrl</kbd> <kbd>K</kbd>
          </dt>
          <dd>go to an app, a channel, a user, or anything else by its name</dd>
        </div>
        <div>
          <dt>
            <kbd>/</kbd>
          </dt>
          <dd>the filter of the page</dd>
        </div>
        <div>
          <dt>
            <kbd>?</kbd>
          </dt>
          <dd>this list</dd>
        </div>
      </dl>
      <p class="actions">
        <button type="button" onClick={onClose}>
          Close
        </button>
      </p>
    </Dialog>
  )
}
