import type { AppError } from "../../api/schema"

// from says whose errors they are.
export const from: Record<AppError["from"], string> = {
  client: "clients",
  backend: "backends",
  webhook: "webhooks",
  service: "this service",
}

// titled is a cause as people read it.
export function titled(cause: string): string {
  const text = cause.replaceAll("_", " ").replace(/^api\b/, "API").replace(/^limit /, "above the limit: ")
  return text.charAt(0).toUpperCase() + text.slice(1)
}

// keyOf names a row in the address.
export function keyOf(e: Pick<AppError, "from" | "cause" | "detail">): string {
  return [e.from, e.cause, e.detail].join("/")
}

// lately is how many there were in the last two hours, the one that runs included.
export function lately(e: Pick<AppError, "counts">): number {
  return e.counts.slice(-2).reduce((sum, n) => sum + n, 0)
}

// urgent puts those first that happen now, and of these the most frequent.
export function urgent(a: AppError, b: AppError): number {
  return lately(b) - lately(a) || Date.parse(b.last) - Date.parse(a.last)
}
