"use strict"

// The page is an application like any other: it connects with pusher-js, which the
// service hands out, and with the options that stand in the lines below it. So when
// it says that it is connected, pusher-js works here.

const { key, channel: first } = document.body.dataset
const wanted = new Set() // channels that were asked for
const subscribed = new Set() // to what the service has agreed
const byId = id => document.getElementById(id)

let pusher
let closedBecause = "" // what the service said when it last ended a connection

function connect() {
  if (typeof Pusher === "undefined") {
    state("bad", "pusher-js did not load: this binary may have been built without it")
    return
  }
  const secure = location.protocol === "https:"
  const port = Number(location.port) || (secure ? 443 : 80)
  pusher = new Pusher(key, {
    cluster: "local",
    wsHost: location.hostname, wsPort: port, wssPort: port,
    httpHost: location.hostname, httpPort: port, httpsPort: port,
    forceTLS: secure,
    channelAuthorization: { transport: "ajax", endpoint: "/pusher/auth" },
    userAuthentication: { transport: "ajax", endpoint: "/pusher/user-auth" },
  })
  pusher.connection.bind("state_change", ({ current }) => changed(current))
  pusher.connection.bind("error", ({ error }) => {
    closedBecause = error?.data?.message ?? ""
  })
  pusher.connection.bind("message", show)
  changed(pusher.connection.state)
  subscribe(first)
}

// changed says how the connection is.
function changed(current) {
  if (current !== "connected") {
    subscribed.clear()
    listChannels()
    const trying = current === "connecting" && !closedBecause
    state(trying ? "wait" : "bad", trying ? "connecting…" : `${current}${closedBecause && `: ${closedBecause}`}; pusher-js tries again`)
    return
  }
  closedBecause = ""
  const over = pusher.connection.connection?.transport?.name
  state("good", `pusher-js is connected as ${pusher.connection.socket_id}${over ? ` over ${over}` : ""}`)
}

function subscribe(name) {
  wanted.add(name)
  const channel = pusher.subscribe(name)
  channel.bind("pusher:subscription_succeeded", () => {
    subscribed.add(name)
    listChannels()
  })
  channel.bind("pusher:subscription_error", why => refused(name, why))
}

// refused says why. What the auth endpoint has answered pusher-js does not tell, so
// it is asked once more.
async function refused(name, { type, error, status }) {
  let why = error
  if (type === "AuthError" && status) {
    const body = new URLSearchParams({ socket_id: pusher.connection.socket_id, channel_name: name })
    why = await fetch("/pusher/auth", { method: "POST", body }).then(answer => answer.text()).catch(() => error)
  }
  wanted.delete(name)
  subscribed.delete(name)
  pusher.unsubscribe(name)
  pusher.channels.remove(name)
  listChannels()
  tell(`Not subscribed to ${name}: ${why}`)
}

function state(kind, text) {
  byId("state").dataset.state = kind
  byId("state").textContent = text
}

function tell(text) {
  byId("answer").textContent = text
}

function listChannels() {
  const list = [...subscribed].flatMap((channel, i) => {
    const code = document.createElement("code")
    code.textContent = channel
    return i ? [", ", code] : [code]
  })
  byId("channels").replaceChildren(...(list.length ? list : ["no channel"]))
}

const maxShown = 200

// show puts what has come on top, the messages of the protocol included.
function show({ event, channel, data, user_id: user }) {
  const item = document.createElement("li")
  if (/^pusher(_internal)?:/.test(event)) item.className = "own"
  if (/error$/.test(event)) item.className = "bad"
  const part = (tag, text, name = "") => {
    const element = document.createElement(tag)
    element.textContent = text
    element.className = name
    return element
  }
  item.append(part("time", new Date().toLocaleTimeString()), " ", part("b", event))
  if (channel) item.append(" ", part("span", `on ${channel}`, "on"))
  if (user) item.append(" ", part("span", `by ${user}`, "on"))
  if (data !== undefined) item.append(part("pre", typeof data === "string" ? data : JSON.stringify(data)))
  const list = byId("events")
  list.prepend(item)
  while (list.children.length > maxShown) list.lastChild.remove()
}

byId("trigger").addEventListener("submit", async submit => {
  submit.preventDefault()
  tell("")
  const body = new URLSearchParams(new FormData(submit.target))
  try {
    const answer = await fetch("/dev/trigger", { method: "POST", body })
    if (!answer.ok) tell(await answer.text())
    else if (!subscribed.has(body.get("channel"))) tell(`Triggered, but this page is not subscribed to ${body.get("channel")}.`)
  } catch {
    tell("The service does not answer. Is belfry dev still running?")
  }
})

byId("follow").addEventListener("click", () => {
  const channel = byId("trigger").elements.channel.value
  tell("")
  if (pusher?.connection.state !== "connected") return tell("Not connected.")
  if (wanted.has(channel)) return tell(`Already subscribed to ${channel}.`)
  subscribe(channel)
})

byId("clear").addEventListener("click", () => byId("events").replaceChildren())

// Tabs, as the accessibility guidelines describe them. Without this script
// all snippets stand below each other.
const tabs = [...document.querySelectorAll("[role=tab]")]

function choose(chosen) {
  for (const tab of tabs) {
    const on = tab === chosen
    tab.setAttribute("aria-selected", on)
    tab.tabIndex = on ? 0 : -1
    byId(tab.getAttribute("aria-controls")).hidden = !on
  }
}

for (const [i, tab] of tabs.entries()) {
  tab.addEventListener("click", () => choose(tab))
  tab.addEventListener("keydown", press => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[press.key]
    if (!step) return
    const next = tabs[(i + step + tabs.length) % tabs.length]
    choose(next)
    next.focus()
  })
}

for (const button of document.querySelectorAll(".copy")) {
  button.addEventListener("click", async () => {
    const code = button.closest(".snippet").querySelector("code")
    try {
      await navigator.clipboard.writeText(code.textContent)
      button.textContent = "Copied"
    } catch {
      getSelection().selectAllChildren(code)
      button.textContent = "Selected"
    }
    setTimeout(() => (button.textContent = "Copy"), 2000)
  })
}

document.querySelector(".tabs").hidden = false
document.body.classList.add("with-tabs")
choose(tabs[0])
connect()
