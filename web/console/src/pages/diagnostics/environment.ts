import { call } from "../../api/client"
import type { Finding } from "../../diagnostics/messages"
import { zone } from "../../ui/numbers"

// environment is what this browser is, and how its clock differs from the node's.
export async function environment(app: string): Promise<Finding> {
  const start = performance.now()
  const sent = Date.now()
  const log = [
    `browser: ${navigator.userAgent}`,
    `languages: ${navigator.languages.join(", ")}`,
    `time zone: ${zone}`,
    `page: ${location.origin}, ${isSecureContext ? "a secure context" : "no secure context"}`,
    `online: ${navigator.onLine}`,
  ]
  const done = (verdict: Finding["verdict"], detail: string, advice?: string): Finding => ({ check: "environment", verdict, detail, ...(advice ? { advice } : {}), took_ms: Math.round(performance.now() - start), log })
  try {
    const { at } = await call("GET /api/v1/apps/{id}/now", { path: { id: app } })
    const offset = Math.round(new Date(at).getTime() - (sent + Date.now()) / 2)
    const by = `${(Math.abs(offset) / 1000).toFixed(1)} s`
    log.push(`the node's clock is ${offset >= 0 ? "ahead" : "behind"} by ${by}`)
    if (Math.abs(offset) > 10_000) return done("warning", `the clocks of this machine and of the node differ by ${by}`, "synchronize both with NTP; backends whose clock is off by ten minutes are refused")
    return done("ok", `the clocks of this machine and of the node differ by ${by}`)
  } catch (e) {
    return done("failed", `the node does not say what time it is: ${String(e)}`, "see whether the node is reached")
  }
}
