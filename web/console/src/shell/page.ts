import type { ComponentChildren } from "preact"
import type { Role } from "../api/schema"

// A Page is one view with an address of its own.
export interface Page {
  path: string // below the console, as apps/:app/keys
  title: string
  view: (props: { params: Record<string, string> }) => ComponentChildren
  // menu puts it into the menu, in the order of the rows: of the service, or of
  // an app. Its key, after g, goes there.
  menu?: { of: "service" | "app"; key: string; name?: string }
  least?: Role // who has it: those who may do what this role may; without, everybody
  witness?: boolean // a witness has it too
}
