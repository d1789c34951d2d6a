import type { ComponentChildren } from "preact"
import type { Role } from "../api/schema"
import { session } from "./session"

// The roles, from the one that may do the least.
const roles: Role[] = ["viewer", "developer", "app-admin", "operator"]

// may reports whether who is logged in may do what is for a role. The API refuses what
// is asked for in spite of it.
export function may(least: Role): boolean {
  const who = session.value
  return !!who && roles.indexOf(who.role) >= roles.indexOf(least)
}

// seen are the apps that who is logged in sees; undefined if that is all of them.
export function seen(): string[] | undefined {
  const apps = session.value?.apps ?? []
  return apps.includes("*") ? undefined : apps
}

// May shows what is for a role.
export function May({ role, children }: { role: Role; children: ComponentChildren }) {
  return may(role) ? <>{children}</> : null
}
