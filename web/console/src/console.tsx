// The console: one page that shows what the admin API tells.

import { render } from "preact"
import "./style/base.css"
import "./style/shell.css"
import "./style/parts.css"
import "./style/live.css"
import { Shell } from "./shell/shell"
import { begin } from "./shell/session"
import { listenToLinks } from "./shell/router"
import { watchNode } from "./shell/reach"

listenToLinks()
begin()
watchNode()
render(<Shell />, document.getElementById("console")!)
