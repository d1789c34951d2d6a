import { to } from "../shell/router"
import { meaning } from "./codes"

// CodeMeaning is a code of the protocol, or a status of HTTP, with what it means and
// a link to the page that says more.
export function CodeMeaning({ code }: { code: number }) {
  const text = meaning(code)
  return (
    <>
      <a href={to("docs/:page", { page: "protocol" }, { at: String(code) })}>{code}</a>
      {text && `: ${text}`}
    </>
  )
}
