// What the whole page knows, such as the address and who is logged in. Few things
// are: the rest is the state of components.

// A Signal is a value. When it changes, the page is drawn anew.
export interface Signal<T> {
  value: T
}

let draw = () => {}
let due = false

// drawWith says how the page is drawn.
export function drawWith(how: () => void): void {
  draw = how
}

export function signal<T>(value: T): Signal<T> {
  return {
    get value() {
      return value
    },
    set value(next) {
      if (Object.is(next, value)) return
      value = next
      if (due) return
      due = true
      queueMicrotask(() => {
        due = false
        draw()
      })
    },
  }
}
