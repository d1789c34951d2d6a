// quoted is a text as a word of a shell, for commands that are shown to be copied.
export function quoted(text: string): string {
  if (/^[\w@%+=:,./-]+$/.test(text)) return text
  // What can not be seen is written as $'\u202e', which bash and zsh read.
  if (/[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/u.test(text)) return `$'${[...text].map(escaped).join("")}'`
  return `'${text.replaceAll("'", `'\\''`)}'`
}

function escaped(character: string): string {
  if (character === "'" || character === "\\") return `\\${character}`
  if (!/[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/u.test(character)) return character
  const code = character.codePointAt(0)!
  return code > 0xffff ? `\\U${code.toString(16).padStart(8, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`
}

// argument is a text as an argument that can not be taken for a flag.
export function argument(text: string): string {
  return text.startsWith("-") ? `-- ${quoted(text)}` : quoted(text)
}

// A Field is a line of a header whose value may be hidden.
export interface Field {
  name: string
  value: string
  hidden?: boolean
}

// asCurl is the command that sends a request as it was sent.
export function asCurl(url: string, headers: Field[], body: string): string {
  return [`curl -i ${quoted(url)}`, ...headers.map((f) => `-H ${quoted(`${f.name}: ${f.hidden ? "HIDDEN" : f.value}`)}`), `--data-raw ${quoted(body)}`].join(" \\\n  ")
}
