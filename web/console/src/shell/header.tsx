import { contact } from "../api/client"
import { Badge } from "../ui/state"
import { Text } from "../ui/text"
import { Time } from "../ui/time"
import { nameOf } from "./named"
import { cluster, node } from "./reach"
import { visible } from "../ui/visible"
import { to } from "./router"
import { logout, session } from "./session"
import { setTheme, type Theme, theme } from "./theme"

// Header says what is looked at, how it is, and who looks.
export function Header({ app, find }: { app: string; find: () => void }) {
  const n = node.value
  const who = session.value!
  const { lost } = contact.value
  return (
    <>
      <header class="header">
        <a class="brand" href="./">
          Belfry
        </a>
        {app && (
          <a class="where" href={to("apps/:app", { app })}>
            <Text value={nameOf(app)} max={40} />
          </a>
        )}
        <span class="facts">
          {n && (
            <>
              <span class="fact" title="Version of the service">
                <Text value={n.version} max={40} />
              </span>
              <span class="fact" title="The node that answers">
                <Text value={n.name} max={60} />
              </span>
            </>
          )}
          <State />
          <span class="fact" title={`Logged in as ${visible(who.name)}, with: ${who.via}`}>
            {who.role}
            {who.role === "viewer" && ", read only"}
          </span>
        </span>
        <span class="tools">
          <button type="button" class="quiet" aria-keyshortcuts="Control+K Meta+K" onClick={find}>
            Go to… <kbd aria-hidden="true">Ctrl K</kbd>
          </button>
          <label class="unseen" for="theme">
            Colours
          </label>
          <select id="theme" value={theme.value} onChange={(e) => setTheme(e.currentTarget.value as Theme)}>
            <option value="system">System</option>
            <option value="light">Light</option>
            <option value="dark">Dark</option>
          </select>
          {who.via !== "open" && (
            <button type="button" class="quiet" onClick={() => void logout()}>
              Log out
            </button>
          )}
        </span>
      </header>
      {who.via === "open" && <p class="banner">belfry dev: nobody has to log in here, and everybody knows the credentials of its app. It answers on this machine only.</p>}
      <div role="alert">
        {lost && (
          <p class="banner lost">
            The node has not answered since <Time at={lost} age={false} />. What is shown is as old as that. It is asked again by itself.
          </p>
        )}
      </div>
    </>
  )
}

// State is how the node and its cluster are, in a word.
function State() {
  const n = node.value
  if (contact.value.lost) return <Badge kind="bad">not reached</Badge>
  if (!n) return null
  const problems = cluster.value?.problems.length ?? 0
  if (problems > 0) {
    return (
      <a href="cluster">
        <Badge kind="bad">{problems === 1 ? "1 problem" : `${problems} problems`}</Badge>
      </a>
    )
  }
  if (!n.ready) return <Badge kind="warn">not ready</Badge>
  return <Badge kind="good">{n.clustered ? "cluster ok" : "ok"}</Badge>
}
