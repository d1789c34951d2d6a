import { useEffect, useState } from "preact/hooks"
import { pages } from "../pages"
import { Text } from "../ui/text"
import { Header } from "./header"
import { Login } from "./login"
import { Help, listenToKeys } from "./keys"
import { may } from "./may"
import { Menu } from "./menu"
import { nameOf, useName } from "./named"
import { Palette } from "./palette"
import type { Page } from "./page"
import { cluster, node } from "./reach"
import { match, path } from "./router"
import { session } from "./session"
import { visible } from "../ui/visible"

// Shell is what stands around every page.
export function Shell() {
  const who = session.value
  if (who === undefined) return null
  return who === null ? <Login /> : <Inside />
}

// find returns the page of the address, with what its path names.
function find(): { page: Page; params: Record<string, string> } | undefined {
  for (const page of pages) {
    const params = match(page.path, path.value)
    if (params) return { page, params }
  }
  return undefined
}

function Inside() {
  const [help, setHelp] = useState(false)
  const [palette, setPalette] = useState(false)
  const found = find()
  const app = found?.params.app ?? ""
  useName(app)
  useEffect(() => listenToKeys(() => app, () => setHelp(true), () => setPalette(true)), [app])
  const name = nameOf(app)
  const title = found ? found.page.title : "Not found"
  useEffect(() => {
    document.title = `${title}${name ? ` · ${visible(name, 60)}` : ""} · Belfry`
  }, [title, name])
  return (
    <div class="shell">
      <a class="skip" href="#main" onClick={(e) => (e.preventDefault(), document.getElementById("main")?.focus())}>
        Skip to the content
      </a>
      <Header app={app} find={() => setPalette(true)} />
      <div class="body">
        <Menu app={app} current={found?.page} />
        <main id="main" tabIndex={-1}>
          <Content found={found} />
        </main>
      </div>
      {help && <Help onClose={() => setHelp(false)} />}
      {palette && <Palette app={app} onClose={() => setPalette(false)} />}
    </div>
  )
}

function Content({ found }: { found: ReturnType<typeof find> }) {
  const n = node.value
  if (!n) return null
  if (!found) {
    return (
      <>
        <h1>Not found</h1>
        <p>
          There is no page <Text value={path.value} />. <a href="./">All apps</a>
        </p>
      </>
    )
  }
  if (n.witness && !found.page.witness) {
    return (
      <>
        <h1>{found.page.title}</h1>
        <p>
          This node is a witness: it counts when more than half of the nodes are asked for, and knows of no apps. <a href="cluster">The cluster</a> is what it can show.
          {cluster.value && " Open the console of another node to see the apps."}
        </p>
      </>
    )
  }
  if (!may(found.page.least ?? "viewer")) {
    return (
      <>
        <h1>{found.page.title}</h1>
        <p>
          This page is for the role {found.page.least}; you have the role {session.value?.role}. Operators give others with <code>belfry tokens create</code>. <a href="./">Your apps</a>
        </p>
      </>
    )
  }
  const View = found.page.view
  return <View key={found.page.path + JSON.stringify(found.params)} params={found.params} />
}
