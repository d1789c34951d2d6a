// The pages of the console, one row each. A page is a folder in pages/; whoever
// adds one adds its row here, and touches nothing else.

import type { Page } from "./shell/page"
import { appsPage } from "./pages/apps/page"
import { newAppPage } from "./pages/apps/create"
import { overviewPage } from "./pages/overview/page"
import { keysPage } from "./pages/keys/page"

export const pages: Page[] = [
  appsPage,
  newAppPage,
  overviewPage,
  keysPage,
]
