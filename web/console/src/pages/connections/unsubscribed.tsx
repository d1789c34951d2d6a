import { to } from "../../shell/router"
import { Notice } from "../../ui/state"

// Unsubscribed says what can be the matter with clients that get no events, and what
// the service cannot know.
export function Unsubscribed() {
  return (
    <Notice kind="warn">
      <p>
        A client that is connected and subscribes to nothing may wait for the auth endpoint of your application. The library asks that endpoint and not this service, so what it answers is not known here. Look at
        the network tab of a browser, or ask it with curl:
      </p>
      <ul>
        <li>It answers HTML, as a login page or a page of errors: it has to answer JSON with status 200.</li>
        <li>It is on another host and allows no requests of your page: it needs the headers of CORS, for the method OPTIONS too.</li>
        <li>It answers 401, 403 or 419: cookies or a CSRF token are not sent along.</li>
      </ul>
      <p>
        What such an answer has to look like is described under <a href={to("docs/:page", { page: "protocol" }, { at: "signatures" })}>Signatures</a>. It may also be an application that subscribes later, or only
        watches its connection.
      </p>
    </Notice>
  )
}
