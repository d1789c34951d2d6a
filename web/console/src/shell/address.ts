// Addresses of pages, and patterns of them.

// match compares a path with a pattern such as apps/:app/keys.
export function match(pattern: string, path: string): Record<string, string> | undefined {
  const want = pattern.split("/")
  const got = path.split("/")
  if (want.length !== got.length) return undefined
  const params: Record<string, string> = {}
  for (const [i, part] of want.entries()) {
    if (!part.startsWith(":")) {
      if (part !== got[i]) return undefined
      continue
    }
    try {
      params[part.slice(1)] = decodeURIComponent(got[i]!)
    } catch {
      return undefined
    }
  }
  return params
}

// to makes an address of a pattern.
export function to(pattern: string, params: Record<string, string> = {}, query: Record<string, string> = {}): string {
  const path = pattern.replace(/:(\w+)/g, (_, name: string) => encodeURIComponent(params[name] ?? ""))
  const text = new URLSearchParams(Object.entries(query).filter(([, v]) => v)).toString()
  return (path || "./") + (text ? `?${text}` : "")
}
