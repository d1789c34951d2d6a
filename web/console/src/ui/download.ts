import { cell } from "./visible"

// download hands a text to the browser as a file.
export function download(name: string, type: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type }))
  const link = document.createElement("a")
  link.href = url
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(url), 10_000)
}

// csv is a table with a line for its names.
export function csv(names: string[], rows: (string | number)[][]): string {
  return [names, ...rows].map((row) => row.map((value) => (typeof value === "number" ? String(value) : cell(value))).join(",")).join("\r\n") + "\r\n"
}
