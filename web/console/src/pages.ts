// The pages of the console, one row each. A page is a folder in pages/; whoever
// adds one adds its row here, and touches nothing else.

import type { Page } from "./shell/page"
import { appsPage } from "./pages/apps/page"
import { newAppPage } from "./pages/apps/create"
import { overviewPage } from "./pages/overview/page"
import { keysPage } from "./pages/keys/page"
import { settingsPage } from "./pages/settings/page"
import { connectPage } from "./pages/connect/page"
import { webhooksPage } from "./pages/webhooks/page"
import { endpointPage } from "./pages/webhooks/edit"
import { deadLettersPage } from "./pages/deadletters/page"
import { usagePage } from "./pages/usage/page"
import { allUsagePage } from "./pages/usage/all"
import { endpointsPage } from "./pages/webhooks/all"
import { livePage } from "./pages/live/page"
import { channelsPage } from "./pages/channels/page"
import { channelPage } from "./pages/channels/one"
import { connectionsPage } from "./pages/connections/page"
import { connectionPage } from "./pages/connections/one"
import { usersPage } from "./pages/users/page"
import { userPage } from "./pages/users/one"
import { errorsPage, unknownErrorsPage } from "./pages/errors/page"
import { eventsPage } from "./pages/events/page"
import { explainPage } from "./pages/explain/page"
import { diagnosticsPage } from "./pages/diagnostics/page"
import { docPages, docsPage } from "./pages/docs/page"
import { deliveriesPage } from "./pages/deliveries/page"
import { deliveryPage } from "./pages/deliveries/one"
import { clusterPage } from "./pages/cluster/page"
import { accessPage } from "./pages/access/page"
import { auditPage } from "./pages/audit/page"

// They stand in the menu in this order.
export const pages: Page[] = [
  appsPage,
  newAppPage,
  allUsagePage,
  endpointsPage,
  deadLettersPage,
  unknownErrorsPage,
  clusterPage,
  accessPage,
  auditPage,
  docsPage,
  ...docPages,

  overviewPage,
  livePage,
  eventsPage,
  channelsPage,
  channelPage,
  connectionsPage,
  connectionPage,
  usersPage,
  userPage,
  errorsPage,
  explainPage,
  diagnosticsPage,
  usagePage,
  webhooksPage,
  endpointPage,
  deliveriesPage,
  deliveryPage,
  connectPage,
  keysPage,
  settingsPage,
]
