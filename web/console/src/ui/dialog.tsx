import type { ComponentChildren } from "preact"
import { useEffect, useId, useRef, useState } from "preact/hooks"
import { Refused } from "../api/client"
import { login } from "../shell/session"
import { Failure, Line, useAction } from "./form"
import { visible } from "./visible"

// Dialog is something in front of the page. The browser keeps the focus in it,
// and it goes back to where it was, or to the page if that is gone.
export function Dialog({ title, onClose, children }: { title: string; onClose: () => void; children: ComponentChildren }) {
  const element = useRef<HTMLDialogElement>(null)
  const id = useId()
  useEffect(() => {
    const dialog = element.current!
    const before = document.activeElement as HTMLElement | null
    dialog.showModal()
    return () => {
      dialog.close()
      queueMicrotask(() => (before?.isConnected ? before : document.getElementById("main"))?.focus())
    }
  }, [])
  return (
    <dialog
      ref={element}
      aria-labelledby={id}
      onCancel={(e) => {
        e.preventDefault()
        onClose()
      }}
    >
      <h2 id={id}>{title}</h2>
      {children}
    </dialog>
  )
}

interface ConfirmProps {
  title: string
  action: string // on the button
  typed?: string // what has to be typed for it
  children: ComponentChildren // what will happen
  onClose: () => void
  run: () => Promise<void>
}

// Confirm asks before something is done that can not be undone.
export function Confirm({ title, action, typed, children, onClose, run }: ConfirmProps) {
  const [text, setText] = useState("")
  const [token, setToken] = useState("")
  const doing = useAction()
  const submit = async (e: Event) => {
    e.preventDefault()
    const whole = async () => {
      if (token) await login(token)
      setToken("")
      await run()
    }
    if (await doing.run(whole)) onClose()
  }
  return (
    <Dialog title={title} onClose={onClose}>
      <form onSubmit={submit}>
        {children}
        {typed !== undefined && (
          <Line
            label={
              <>
                Type <code>{visible(typed)}</code> to go on
              </>
            }
            value={text}
            onValue={setText}
          />
        )}
        <Failure problem={doing.problem} />
        {((doing.problem instanceof Refused && doing.problem.stale) || token) && <Line label="Token" kind="password" value={token} onValue={setToken} autocomplete="current-password" />}
        <p class="actions">
          <button type="submit" class="danger" disabled={doing.busy || (typed !== undefined && text !== typed)}>
            {action}
          </button>
          <button type="button" class="quiet" onClick={onClose}>
            Cancel
          </button>
        </p>
      </form>
    </Dialog>
  )
}
