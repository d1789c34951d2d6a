import { useAsk } from "../../api/use"
import { to } from "../../shell/router"
import { counted, PartOf } from "../../ui/list"
import { Wait } from "../../ui/state"
import { Text } from "../../ui/text"
import { Time } from "../../ui/time"
import { from, titled, urgent } from "../errors/causes"
import { link } from "../errors/page"

// shown is how many causes stand here; there is a list of all.
const shown = 5

// Trouble is what went wrong lately, and where to look when nothing did.
export function Trouble({ id }: { id: string }) {
  const asked = useAsk("GET /api/v1/apps/{id}/errors", { path: { id } }, { every: 10_000 })
  return (
    <section aria-labelledby="trouble">
      <h2 id="trouble">What went wrong</h2>
      <Wait asked={asked}>
        {({ errors, nodes }) => (
          <>
            <PartOf nodes={nodes} />
            {errors.length === 0 ? (
              <p>Nothing in 24 hours.</p>
            ) : (
              <ul class="trouble">
                {[...errors]
                  .sort(urgent)
                  .slice(0, shown)
                  .map((e) => (
                    <li>
                      <a href={link(id, e)}>{titled(e.cause)}</a>, {from[e.from]}, {counted(e.total, "time")}, last <Time at={e.last} short />
                      {e.advice && (
                        <span class="hint">
                          {" "}
                          <Text value={e.advice} max={400} />
                        </span>
                      )}
                    </li>
                  ))}
              </ul>
            )}
            <Unsubscribed id={id} />
            {errors.length > shown && (
              <p>
                <a href={to("apps/:app/errors", { app: id })}>{counted(errors.length, "cause")} in all</a>
              </p>
            )}
          </>
        )}
      </Wait>
      <p>
        An event did not arrive, and nothing stands here? <a href={to("apps/:app/explain", { app: id })}>Explain it</a>, or see which <a href={to("apps/:app/channels", { app: id })}>channels</a> there are and
        who is <a href={to("apps/:app/connections", { app: id })}>connected</a>.
      </p>
    </section>
  )
}

// Unsubscribed counts the clients that get nothing: it is all that is seen here of an
// auth endpoint that answers what no library can read.
function Unsubscribed({ id }: { id: string }) {
  const asked = useAsk("GET /api/v1/apps/{id}/connections", { path: { id }, query: { unsubscribed: true, limit: 1 } }, { every: 15_000 })
  const total = asked.data?.total ?? 0
  if (total === 0) return null
  return (
    <p>
      <a href={to("apps/:app/connections", { app: id }, { unsubscribed: "1" })}>
        {counted(total, "connection")} {total === 1 ? "is" : "are"} subscribed to nothing
      </a>
      . That may be meant so, or an auth endpoint does not answer as it should.
    </p>
  )
}
