// What settings mean, in the words of the service.

import type { Answer } from "../api/client"
import { useAsk } from "../api/use"

// useTexts returns what the settings of apps, or those of webhooks, mean.
export function useTexts(of: keyof Answer<"GET /api/v1/settings">): (name: string) => string {
  const asked = useAsk("GET /api/v1/settings")
  return (name) => asked.data?.[of].find((s) => s.name === name)?.text ?? ""
}
