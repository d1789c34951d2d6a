"use strict"

// A client of the service in a few lines: it connects, subscribes, and shows
// every message as it arrives. Applications use pusher-js instead.

const key = document.body.dataset.key
const wanted = new Set([document.body.dataset.channel]) // what to subscribe to, again after each connect
const subscribed = new Set() // to what the service has agreed
const byId = id => document.getElementById(id)

let socket, socketId

function connect() {
  socketId = null
  subscribed.clear()
  listChannels()
  socket = new WebSocket(`ws://${location.host}/app/${key}?protocol=7&client=belfry-dev&version=1`)
  socket.onmessage = message => receive(JSON.parse(message.data))
  socket.onclose = close => {
    state("bad", close.reason || "not connected; trying again")
    setTimeout(connect, 1000)
  }
}

function send(event, data) {
  socket.send(JSON.stringify({ event, data }))
}

function receive(frame) {
  const data = decode(frame.data)
  show(frame, data)
  switch (frame.event) {
    case "pusher:connection_established":
      socketId = data.socket_id
      state("good", `connected as ${socketId}`)
      wanted.forEach(subscribe)
      break
    case "pusher_internal:subscription_succeeded":
      subscribed.add(frame.channel)
      listChannels()
      break
    case "pusher:subscription_error":
      refused(frame.channel, data.error)
      break
    case "pusher:ping":
      send("pusher:pong", {})
      break
  }
}

// decode returns what is in a frame's data, which is JSON inside a string
// more often than not.
function decode(data) {
  if (typeof data !== "string") return data
  try {
    return JSON.parse(data)
  } catch {
    return data
  }
}

async function subscribe(channel) {
  wanted.add(channel)
  let grant = {}
  if (/^(private|presence)-/.test(channel)) {
    const body = new URLSearchParams({ socket_id: socketId, channel_name: channel })
    const answer = await fetch("/pusher/auth", { method: "POST", body })
    if (!answer.ok) return refused(channel, await answer.text())
    const { auth, channel_data } = await answer.json()
    grant = { auth, channel_data }
  }
  send("pusher:subscribe", { channel, ...grant })
}

function refused(channel, why) {
  wanted.delete(channel)
  subscribed.delete(channel)
  listChannels()
  tell(`Not subscribed to ${channel}: ${why}`)
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

function show(frame, data) {
  const item = document.createElement("li")
  if (/^pusher(_internal)?:/.test(frame.event)) item.className = "own"
  if (/error$/.test(frame.event)) item.className = "bad"
  const part = (tag, text, name = "") => {
    const element = document.createElement(tag)
    element.textContent = text
    element.className = name
    return element
  }
  item.append(part("time", new Date().toLocaleTimeString()), " ", part("b", frame.event))
  if (frame.channel) item.append(" ", part("span", `on ${frame.channel}`, "on"))
  if (frame.user_id) item.append(" ", part("span", `by ${frame.user_id}`, "on"))
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
  if (!socketId) return tell("Not connected.")
  if (subscribed.has(channel)) return tell(`Already subscribed to ${channel}.`)
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
