// What server-sent events say.

// A Message is one event of a stream.
export interface Message {
  id: string
  data: string
}

// Messages takes them out of a text that comes in pieces.
export class Messages {
  private rest = ""
  private id = ""
  private data: string[] = []

  // take returns those that the next piece completes.
  take(piece: string): Message[] {
    const lines = (this.rest + piece).split("\n")
    this.rest = lines.pop()!
    const list: Message[] = []
    for (const line of lines) {
      if (line === "") {
        if (this.data.length > 0) list.push({ id: this.id, data: this.data.join("\n") })
        this.data = []
        continue
      }
      const at = line.indexOf(": ")
      const [name, value] = [line.slice(0, at), line.slice(at + 2)]
      if (name === "id") this.id = value
      else if (name === "data") this.data.push(value)
    }
    return list
  }
}
