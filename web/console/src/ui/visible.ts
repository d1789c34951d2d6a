// What strangers wrote, made visible: nothing in it can hide, turn round what
// stands beside it, or go on for ever.

// hidden are control and format characters, lone surrogates, private ones, and
// separators of lines.
const hidden = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/u

export const maxShown = 200

// A Piece is text as it is, or an escape that stands for a character.
export interface Piece {
  text: string
  escape: boolean
}

function escaped(character: string): string {
  switch (character) {
    case "\n":
      return "\\n"
    case "\r":
      return "\\r"
    case "\t":
      return "\\t"
  }
  return `\\u{${character.codePointAt(0)!.toString(16)}}`
}

// pieces are those of the first max characters, and how many more there are.
// With lines, line feeds and tabs stay.
export function pieces(text: string, max = maxShown, lines = false): { pieces: Piece[]; more: number } {
  const list: Piece[] = []
  let shown = 0
  let taken = 0
  for (const character of text) {
    if (shown === max) break
    shown++
    taken += character.length
    const escape = hidden.test(character) && !(lines && (character === "\n" || character === "\t"))
    const last = list.at(-1)
    if (!escape && last && !last.escape) last.text += character
    else list.push({ text: escape ? escaped(character) : character, escape })
  }
  return { pieces: list, more: text.length - taken }
}

// visible is the same as one text, for titles and labels.
export function visible(text: string, max = maxShown): string {
  const { pieces: list, more } = pieces(text, max)
  return list.map((p) => p.text).join("") + (more > 0 ? "…" : "")
}

// cell is a text as a table that a spreadsheet opens may have it: it can not
// become a formula there.
export function cell(text: string): string {
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}
