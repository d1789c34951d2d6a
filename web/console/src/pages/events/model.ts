// What an event is before it is sent, and what is wrong with it. The service has
// the last word: it checks all of this again.

import type { App } from "../../api/schema"

// A Draft is what stands in the form.
export interface Draft {
  to: "channels" | "user"
  channels: string[]
  user: string
  name: string
  data: string // as clients get it
  except: string // a socket id, or empty
}

export const blank: Draft = { to: "channels", channels: [], user: "", name: "", data: "{\n  \n}", except: "" }

export type Limits = App["limits"]

export type Mistakes = Partial<Record<"channels" | "user" | "name" | "data" | "except", string>>

// targets are the channels of a draft. The connections of a user have one of their own.
export function targets(d: Draft): string[] {
  return d.to === "user" ? [`#server-to-user-${d.user}`] : [...new Set(d.channels)]
}

// userOf is the user whose channel that is.
export function userOf(channel: string): string | undefined {
  return /^#server-to-user-(.+)$/s.exec(channel)?.[1]
}

const bytes = new TextEncoder()

// sizeOf is what counts of data: bytes of UTF-8.
export const sizeOf = (text: string): number => bytes.encode(text).length

// The characters of a channel's name.
const legal = /^[-\w=@,.;]+$/

function wrongChannel(name: string, limit: number): string | undefined {
  if (name.startsWith("#")) return userOf(name) ? undefined : "A name that begins with # is none that an event can go to."
  if (!legal.test(name)) return "A channel's name has ASCII letters, digits and _ - = @ , . ; only."
  if (limit && name.length > limit) return `A name has at most ${limit} characters, and one here has ${name.length}.`
  return undefined
}

function wrongChannels(d: Draft, limits: Limits): string | undefined {
  const names = targets(d)
  const most = limits.channels_per_event ?? 0
  if (names.length === 0) return "An event goes to a channel."
  if (most && names.length > most) return `An event goes to at most ${most} channels, and here are ${names.length}.`
  if (names.length > 1 && names.some(isEncrypted)) return "An event for an encrypted channel can have no other channels."
  return names.map((n) => wrongChannel(n, limits.channel_name_length ?? 0)).find(Boolean)
}

function wrongName(name: string, limit: number): string | undefined {
  const length = [...name].length
  if (name === "") return "An event has a name."
  if (limit && length > limit) return `A name has at most ${limit} characters, and this has ${length}.`
  if (name.startsWith("pusher:") || name.startsWith("pusher_internal:")) return "Names that begin with pusher: or pusher_internal: belong to the protocol."
  return undefined
}

// mistakes are what is wrong with a draft.
export function mistakes(d: Draft, limits: Limits): Mistakes {
  const all: Mistakes = {
    channels: d.to === "channels" ? wrongChannels(d, limits) : undefined,
    user: d.to === "user" && d.user === "" ? "Which user?" : undefined,
    name: wrongName(d.name, limits.event_name_length ?? 0),
    data: limits.event_data && sizeOf(d.data) > limits.event_data ? `The data has ${sizeOf(d.data)} bytes, and may have ${limits.event_data}.` : undefined,
    except: d.except && !/^\d+\.\d+$/.test(d.except) ? "A socket id is two numbers with a dot, such as 1234.5678." : undefined,
  }
  return Object.fromEntries(Object.entries(all).filter(([, text]) => text))
}

export const isEncrypted = (channel: string): boolean => channel.startsWith("private-encrypted-")

// notJSON says why a text is not JSON.
export function notJSON(text: string): string | undefined {
  try {
    JSON.parse(text)
    return undefined
  } catch (e) {
    return (e as Error).message
  }
}

// pretty is JSON with its lines.
export function pretty(text: string): string {
  return JSON.stringify(JSON.parse(text), null, 2)
}

// sent is a draft as a backend sends it. JSON goes without the space that is there
// for people, as libraries of backends have it.
export function sent(d: Draft): { name: string; channels: string[]; data: string; socket_id?: string } {
  return { name: d.name, channels: targets(d), data: tight(d.data), ...(d.except ? { socket_id: d.except } : {}) }
}

// tight leaves out the space between the parts of JSON, and changes nothing else:
// numbers stay as they were typed.
export function tight(text: string): string {
  if (notJSON(text)) return text
  return text.replace(/("(?:[^"\\]|\\.)*")|\s+/g, (_, literal: string | undefined) => literal ?? "")
}

// batch is a draft as events of a batch, which have one channel each.
export function batched(d: Draft): { name: string; channel: string; data: string; socket_id?: string }[] {
  const { channels, ...rest } = sent(d)
  return channels.map((channel) => ({ ...rest, channel }))
}
