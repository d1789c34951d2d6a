import { to } from "../shell/router"
import { Copy, Text } from "./text"

// What identifies something is a link to its page, and can be copied.

interface NamedProps {
  app: string
  value: string
  max?: number
}

const pages = { channel: "apps/:app/channels/:name", connection: "apps/:app/connections/:name", user: "apps/:app/users/:name" }

function Named({ app, value, max = 80, kind }: NamedProps & { kind: keyof typeof pages }) {
  return (
    <span class={`named ${kind}`}>
      {asPath(value) ? (
        <a href={to(pages[kind], { app, name: value })}>
          <Text value={value} max={max} />
        </a>
      ) : (
        <Text value={value} max={max} />
      )}
      <Copy value={value} of={kind} />
    </span>
  )
}

// asPath reports whether a name can be a part of an address: a browser takes
// dots alone for a way up.
function asPath(name: string): boolean {
  return name !== "" && name !== "." && name !== ".."
}

export const ChannelName = (props: NamedProps) => <Named {...props} kind="channel" />
export const SocketName = (props: NamedProps) => <Named {...props} kind="connection" />
export const UserName = (props: NamedProps) => <Named {...props} kind="user" />
