// The console: one page that shows what the admin API tells.

import { render } from "preact"
import { useState } from "preact/hooks"
import "./style/base.css"
import "./style/shell.css"
import "./style/parts.css"
import "./style/live.css"
import { Shell } from "./shell/shell"
import { drawWith } from "./signal"
import { begin } from "./shell/session"
import { listenToLinks } from "./shell/router"
import { watchNode } from "./shell/reach"

listenToLinks()
begin()
watchNode()

// Root is drawn anew with all that is in it. It is not rendered again, which would
// give away the ids of fields a second time.
function Root() {
  const [, again] = useState(0)
  drawWith(() => again((n) => n + 1))
  return <Shell />
}

render(<Root />, document.getElementById("console")!)
