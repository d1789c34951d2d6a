import assert from "node:assert/strict"
import test from "node:test"
import type { Finding } from "../../diagnostics/messages"
import { asJSON, sentence } from "./report"

const finding = (check: string, verdict: Finding["verdict"]): Finding => ({ check, verdict, detail: "d", took_ms: 5, log: ["l"] })

test("a result is one sentence, and can be handed on", () => {
  assert.equal(sentence([finding("a", "ok"), finding("b", "ok")]), "The service works for this browser.")
  assert.equal(sentence([finding("a", "ok"), finding("b", "skipped")]), "The service works for this browser; not tried: b.")
  const all = [finding("a", "failed"), finding("b", "warning"), finding("c", "failed"), finding("d", "skipped")]
  assert.equal(sentence(all), "2 of 4 checks failed: a, c; with warnings: b; not tried: d.")
  const { summary, results } = JSON.parse(asJSON("1", "a browser", all, new Date(0)))
  assert.deepEqual(summary, { failed: 2, passed: 1, skipped: 1, total: 4, runtime: 20 })
  assert.deepEqual(results[0], { name: "a", failed: 1, passed: 0, total: 1, duration: 5, verdict: "failed", detail: "d", log: ["l"] })
})
