import { useEffect, useState } from "preact/hooks"
import { Refused } from "../api/client"
import { Failure, Line, useAction } from "../ui/form"
import { Notice } from "../ui/state"
import { login, refusal } from "./session"

// Login asks who is there, and tells nothing but the name of the service.
export function Login() {
  const [token, setToken] = useState("")
  const doing = useAction()
  useEffect(() => {
    document.title = "Belfry"
  }, [])
  const submit = (e: Event) => {
    e.preventDefault()
    void doing.run(async () => {
      await login(token.trim())
      setToken("")
    })
  }
  const why = refusal.value
  const closed = why instanceof Refused && why.status === 403
  return (
    <main class="login">
      <h1>Belfry</h1>
      {why && (
        <Notice kind={closed ? "bad" : "warn"} alert>
          <p>{why.message}</p>
        </Notice>
      )}
      {!closed && (
        <form onSubmit={submit}>
          <Line label="Token" kind="password" name="token" required value={token} onValue={setToken} autocomplete="current-password" autofocus />
          <Failure problem={doing.problem} />
          <p class="actions">
            <button type="submit" disabled={doing.busy || token === ""}>
              Log in
            </button>
          </p>
          <p class="hint">
            <code>belfry console</code>, where the service runs, prints an address that needs no token. The token stands in <code>admin-token</code> in the data directory.
          </p>
        </form>
      )}
    </main>
  )
}
