// The same event in the languages of backends. What was typed stands in it as
// literals of each language, so that nothing in it can end one.

import { quoted } from "../../ui/shell"

// A Service is where backends reach an app.
export interface Service {
  base: string // scheme, host and port, and the prefix if there is one
  app: string
  key: string
  admin: string // where operators do, with a slash at its end
}

// An Event is what is sent.
export interface Event {
  name: string
  channels: string[]
  data: string
  socket_id?: string | undefined
}

export const secret = "SECRET"

interface Place {
  host: string
  port: string
  path: string
  tls: boolean
}

function place(base: string): Place {
  const url = new URL(base)
  const tls = url.protocol === "https:"
  return { host: url.hostname, port: url.port || (tls ? "443" : "80"), path: url.pathname.replace(/\/+$/, ""), tls }
}

// double is a text between double quotes, with escapes that JavaScript and Python
// have in common.
function double(text: string): string {
  return JSON.stringify(text).replace(/[\u007f-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`)
}

// byCodePoint is the same for languages in which an escape stands for a character,
// and not for half of one.
function byCodePoint(text: string, escape: (hex: string) => string): string {
  let out = ""
  for (const c of text.replace(/\p{Cs}/gu, "\ufffd")) {
    const code = c.codePointAt(0)!
    if (c === '"' || c === "\\") out += `\\${c}`
    else if (c === "\n") out += "\\n"
    else if (code >= 0x20 && code < 0x7f) out += c
    else out += escape(code.toString(16))
  }
  return `"${out}"`
}

const python = (text: string) => byCodePoint(text, (hex) => `\\U${hex.padStart(8, "0")}`)
const go = python
const ruby = (text: string) => byCodePoint(text, (hex) => `\\u{${hex}}`).replace(/#/g, "\\#")
const php = (text: string) => byCodePoint(text, (hex) => `\\u{${hex}}`).replace(/\$/g, "\\$")

const list = (texts: string[], literal: (text: string) => string) => `[${texts.map(literal).join(", ")}]`

// body is an event as the HTTP API takes it.
export function body(e: Event): string {
  return JSON.stringify({ name: e.name, channels: e.channels, data: e.data, ...(e.socket_id ? { socket_id: e.socket_id } : {}) })
}

function curl(s: Service, e: Event): string {
  const { path } = place(s.base)
  const at = `${path}/apps/${encodeURIComponent(s.app)}/events`
  return `# Whoever triggers signs method, path, time and the hash of the body with the secret.
secret=${secret}
body=${quoted(body(e))}
md5=$(printf %s "$body" | openssl md5 -r | cut -d' ' -f1)
query=${quoted(`auth_key=${encodeURIComponent(s.key)}`)}"&auth_timestamp=$(date +%s)&auth_version=1.0&body_md5=$md5"
signature=$(printf 'POST\\n%s\\n%s' ${quoted(at)} "$query" | openssl sha256 -hmac "$secret" -r | cut -d' ' -f1)
curl --fail-with-body -H 'Content-Type: application/json' --data-raw "$body" ${quoted(new URL(at, s.base).href)}"?$query&auth_signature=$signature"`
}

function admin(s: Service, e: Event): string {
  return `# On the machine of the service, with the token of operators instead of a signature.
curl -H "Authorization: Bearer $(cat belfry-data/admin-token)" -H 'Content-Type: application/json' \\
  --data-raw ${quoted(body(e))} ${quoted(`${s.admin}api/v1/apps/${encodeURIComponent(s.app)}/events`)}`
}

function command(s: Service, e: Event): string {
  const url = new URL(s.base)
  url.username = encodeURIComponent(s.key)
  url.password = secret
  url.pathname = `${place(s.base).path}/apps/${encodeURIComponent(s.app)}`
  const except = e.socket_id ? ` --socket-id ${quoted(e.socket_id)}` : ""
  const lines = e.channels.map((channel) => `belfry trigger${except} -- ${quoted(channel)} ${quoted(e.name)} ${quoted(e.data)}`)
  return [`export BELFRY_URL=${quoted(url.href)}`, ...lines].join("\n")
}

function node(s: Service, e: Event): string {
  const p = place(s.base)
  return `import Pusher from "pusher" // npm install pusher

const pusher = new Pusher({
  appId: ${double(s.app)}, key: ${double(s.key)}, secret: ${double(secret)},
  host: ${double(p.host)}, port: ${double(p.port)}, useTLS: ${p.tls},
})
// An object in place of the text is made into such a text.
await pusher.trigger(${list(e.channels, double)}, ${double(e.name)}, ${double(e.data)}${e.socket_id ? `, { socket_id: ${double(e.socket_id)} }` : ""})`
}

function phpCode(s: Service, e: Event): string {
  const p = place(s.base)
  const more = e.socket_id ? `, ['socket_id' => ${php(e.socket_id)}]` : ""
  return `// composer require pusher/pusher-php-server
$pusher = new Pusher\\Pusher(${php(s.key)}, ${php(secret)}, ${php(s.app)}, [
    'host' => ${php(p.host)}, 'port' => ${p.port}, 'scheme' => '${p.tls ? "https" : "http"}',
]);
// The last argument says that the data is text already.
$pusher->trigger(${list(e.channels, php)}, ${php(e.name)}, ${php(e.data)}${more || ", []"}, true);`
}

function rubyCode(s: Service, e: Event): string {
  const p = place(s.base)
  return `require "pusher" # gem install pusher

pusher = Pusher::Client.new(
  app_id: ${ruby(s.app)}, key: ${ruby(s.key)}, secret: ${ruby(secret)},
  host: ${ruby(p.host)}, port: ${p.port}, use_tls: ${p.tls}
)
pusher.trigger(${list(e.channels, ruby)}, ${ruby(e.name)}, ${ruby(e.data)}${e.socket_id ? `, socket_id: ${ruby(e.socket_id)}` : ""})`
}

function pythonCode(s: Service, e: Event): string {
  const p = place(s.base)
  return `import pusher  # pip install pusher

client = pusher.Pusher(
    app_id=${python(s.app)}, key=${python(s.key)}, secret=${python(secret)},
    host=${python(p.host)}, port=${p.port}, ssl=${p.tls ? "True" : "False"},
)
client.trigger(${list(e.channels, python)}, ${python(e.name)}, ${python(e.data)}${e.socket_id ? `, ${python(e.socket_id)}` : ""})`
}

function goCode(s: Service, e: Event): string {
  const p = place(s.base)
  const host = p.port === (p.tls ? "443" : "80") ? p.host : `${p.host}:${p.port}`
  const call = e.socket_id
    ? `socket := ${go(e.socket_id)}
_, err := client.TriggerMultiWithParams(channels, ${go(e.name)}, data, pusher.TriggerParams{SocketID: &socket})`
    : `err := client.TriggerMulti(channels, ${go(e.name)}, data)`
  return `import "github.com/pusher/pusher-http-go/v5"

client := pusher.Client{AppID: ${go(s.app)}, Key: ${go(s.key)}, Secret: ${go(secret)}, Host: ${go(host)}, Secure: ${p.tls}}
channels := []string{${e.channels.map(go).join(", ")}}
data := ${go(e.data)} // text is sent as it is
${call}`
}

// examples are the same event for each kind of backend.
export function examples(s: Service, e: Event): { title: string; code: string }[] {
  return [
    { title: "curl", code: curl(s, e) },
    { title: "Admin API", code: admin(s, e) },
    { title: "Command line", code: command(s, e) },
    { title: "Node", code: node(s, e) },
    { title: "PHP", code: phpCode(s, e) },
    { title: "Ruby", code: rubyCode(s, e) },
    { title: "Python", code: pythonCode(s, e) },
    { title: "Go", code: goCode(s, e) },
  ]
}
