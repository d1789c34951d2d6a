// Light or dark: what the system says, or what was chosen here.

import { signal } from "../signal"

export type Theme = "system" | "light" | "dark"

const key = "belfry-theme"

function kept(): Theme {
  try {
    const text = localStorage.getItem(key)
    if (text === "light" || text === "dark") return text
  } catch {
    // a browser that keeps nothing
  }
  return "system"
}

export const theme = signal<Theme>(kept())

export function setTheme(next: Theme): void {
  theme.value = next
  try {
    if (next === "system") localStorage.removeItem(key)
    else localStorage.setItem(key, next)
  } catch {
    // then it is for this page only
  }
  show()
}

function show(): void {
  const chosen = theme.value
  if (chosen === "system") delete document.documentElement.dataset.theme
  else document.documentElement.dataset.theme = chosen
}

show()
