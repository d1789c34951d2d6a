import { node } from "../shell/reach"

// address is that of clients and backends, as far as it can be known here: the host
// by which this page was reached, and the port of a listener.
export function address(): string {
  const n = node.value!
  const secure = !!n.tls_listen
  const port = /:(\d+)$/.exec(n.tls_listen ?? n.listen ?? "")?.[1] ?? ""
  const host = location.hostname === "belfry.localhost" ? "127.0.0.1" : location.hostname
  return `${secure ? "https" : "http"}://${host}${port ? `:${port}` : ""}${n.path ?? ""}`
}
