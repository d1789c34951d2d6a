import type { Key } from "../../api/schema"
import { Notice } from "../../ui/state"
import { Code } from "../../ui/text"

// Pair shows a pair of credentials that was just made. The secret is told this
// once: when the component is gone the page has it no more.
export function Pair({ pair }: { pair: Key }) {
  return (
    <Notice kind="warn">
      <p>The secret is shown now and never again. It belongs to backends only.</p>
      <dl class="facts-list">
        <div>
          <dt>Key</dt>
          <dd>
            <Code value={pair.key} />
          </dd>
        </div>
        {pair.secret && (
          <div>
            <dt>Secret</dt>
            <dd>
              <Code value={pair.secret} />
            </dd>
          </div>
        )}
      </dl>
    </Notice>
  )
}
