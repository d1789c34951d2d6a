import { useState } from "preact/hooks"
import { call, Refused } from "../../api/client"
import type { Role, Token } from "../../api/schema"
import { Failure, Field, Line, useAction } from "../../ui/form"

const roles: [Role, string][] = [
  ["viewer", "Sees how apps are doing, but neither what is sent nor addresses"],
  ["developer", "Also sees what is sent, and finds out what became of it"],
  ["app-admin", "Also changes apps, their keys and their webhooks"],
  ["operator", "May do everything, to all apps and to the service"],
]

// How long a token may be valid, in days; none is without an end.
const terms: [days: number, text: string][] = [
  [0, "until it is revoked"],
  [1, "1 day"],
  [30, "30 days"],
  [90, "90 days"],
  [365, "a year"],
]

const day = 24 * 60 * 60 * 1000

const empty: { name: string; role: Role; apps: string; days: number } = { name: "", role: "viewer", apps: "", days: 0 }

// Make is what a token is made with.
export function Make({ onMade }: { onMade: (token: Token) => Promise<void> }) {
  const [given, setGiven] = useState(empty)
  const doing = useAction()
  const set = (part: Partial<typeof empty>) => setGiven({ ...given, ...part })
  const mistake = (name: string) => (doing.problem instanceof Refused ? doing.problem.mistakes.find((m) => m.name === name)?.text : undefined)
  const operator = given.role === "operator"
  const submit = async (e: Event) => {
    e.preventDefault()
    await doing.run(async () => {
      const made = await call("POST /api/v1/tokens", {
        body: {
          name: given.name.trim(),
          role: given.role,
          ...(operator ? {} : { apps: given.apps.split(/[\s,]+/).filter((id) => id !== "") }),
          ...(given.days > 0 ? { expires: new Date(Date.now() + given.days * day).toISOString() } : {}),
        },
      })
      setGiven(empty)
      await onMade(made)
    })
  }
  return (
    <section aria-labelledby="make">
      <h2 id="make">Make a token</h2>
      <form onSubmit={submit}>
        <Line label="Name" hint="Of the person or the program: letters, digits and - _ . @ +" required value={given.name} onValue={(name) => set({ name })} mistake={mistake("name")} />
        <Field label="Role" hint={roles.find(([role]) => role === given.role)![1]} mistake={mistake("role")}>
          {(a) => (
            <select {...a} value={given.role} onChange={(e) => set({ role: e.currentTarget.value as Role })}>
              {roles.map(([role]) => (
                <option value={role} key={role}>
                  {role}
                </option>
              ))}
            </select>
          )}
        </Field>
        {!operator && (
          <Line label="Apps" hint="Their ids, with spaces between them, or * for all, also later ones" required value={given.apps} onValue={(apps) => set({ apps })} mistake={mistake("apps")} />
        )}
        <Field label="Valid" mistake={mistake("expires")}>
          {(a) => (
            <select {...a} value={String(given.days)} onChange={(e) => set({ days: Number(e.currentTarget.value) })}>
              {terms.map(([days, text]) => (
                <option value={String(days)} key={days}>
                  {text}
                </option>
              ))}
            </select>
          )}
        </Field>
        <Failure problem={doing.problem} fields={["name", "role", "apps", "expires"]} />
        <p class="actions">
          <button type="submit" disabled={doing.busy}>
            Make it
          </button>
        </p>
      </form>
    </section>
  )
}
