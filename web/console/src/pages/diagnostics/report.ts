import type { Finding } from "../../diagnostics/messages"

// sentence is the whole in one.
export function sentence(findings: Finding[]): string {
  const of = (verdict: string) => findings.filter((f) => f.verdict === verdict).map((f) => f.check)
  const failed = of("failed")
  const rest = [
    of("warning").length > 0 ? `with warnings: ${of("warning").join(", ")}` : "",
    of("skipped").length > 0 ? `not tried: ${of("skipped").join(", ")}` : "",
  ].filter(Boolean)
  const first = failed.length > 0 ? `${failed.length} of ${findings.length} checks failed: ${failed.join(", ")}` : "The service works for this browser"
  return [first, ...rest].join("; ") + "."
}

// asJSON is the result to hand on, as the diagnostics of the hosted service had it,
// with what we know besides. It has no secret.
export function asJSON(app: string, browser: string, findings: Finding[], at: Date): string {
  const n = (verdict: string) => findings.filter((f) => f.verdict === verdict).length
  return JSON.stringify(
    {
      app,
      at: at.toISOString(),
      browser,
      summary: { failed: n("failed"), passed: n("ok") + n("warning"), skipped: n("skipped"), total: findings.length, runtime: findings.reduce((sum, f) => sum + f.took_ms, 0) },
      sentence: sentence(findings),
      results: findings.map((f) => ({
        name: f.check,
        failed: f.verdict === "failed" ? 1 : 0,
        passed: f.verdict === "ok" || f.verdict === "warning" ? 1 : 0,
        total: 1,
        duration: f.took_ms,
        verdict: f.verdict,
        detail: f.detail,
        ...(f.advice ? { advice: f.advice } : {}),
        log: f.log,
      })),
    },
    null,
    2,
  )
}
