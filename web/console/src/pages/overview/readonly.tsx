import type { App } from "../../api/schema"
import { Notice } from "../../ui/state"

// ReadOnly says where an app can be changed that can not be changed here.
export function ReadOnly({ app, what }: { app: App; what: string }) {
  if (app.source !== "configuration") return null
  return (
    <Notice kind="off">
      <p>
        This app stands in the configuration of the service, so its {what} can only be changed there: in <code>apps</code> of <code>belfry.yaml</code>, which is read again when it changes. In{" "}
        <code>belfry dev</code> the app is fixed.
      </p>
    </Notice>
  )
}
