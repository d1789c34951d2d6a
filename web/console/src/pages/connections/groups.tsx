import { useAsk } from "../../api/use"
import { setQuery } from "../../shell/router"
import { counted, Snapshot, useRenewal } from "../../ui/list"
import { count } from "../../ui/numbers"
import { Empty, Wait } from "../../ui/state"
import { Table } from "../../ui/table"
import { Text } from "../../ui/text"
import type { Filters } from "./page"

const names = { origin: "Origin", library: "Library", transport: "Transport", user: "User", node: "Node" }
const nothing = { origin: "no origin: no page of a browser", library: "no library named", transport: "unknown", user: "not signed in", node: "unnamed" }

interface GroupsProps {
  app: string
  by: keyof typeof names
  given: Filters
}

// Groups counts connections by what they have in common.
export function Groups({ app, by, given }: GroupsProps) {
  const asked = useAsk("GET /api/v1/apps/{id}/connections", { path: { id: app }, query: { ...given, by } }, useRenewal())
  return (
    <>
      <Snapshot asked={asked} nodes={asked.data?.nodes}>
        {asked.data && counted(asked.data.total, "connection")}.
      </Snapshot>
      <Wait asked={asked}>
        {({ groups = [], others = 0, total }) =>
          groups.length === 0 ? (
            <Empty>
              <p>No connection fits.</p>
            </Empty>
          ) : (
            <>
              <Table
                label={`Connections by ${by}`}
                rows={groups}
                id={(g) => g.value}
                columns={[
                  {
                    key: "value",
                    label: names[by] ?? by,
                    sort: (g) => g.value,
                    value: (g) =>
                      g.value === "" ? (
                        nothing[by]
                      ) : by === "node" ? (
                        <Text value={g.value} max={100} />
                      ) : g.value === "(other)" ? (
                        "others, which are not told apart"
                      ) : (
                        <button type="button" class="link" onClick={() => setQuery({ by: "", [by]: g.value, after: "" }, "push")}>
                          <Text value={g.value} max={100} />
                        </button>
                      ),
                  },
                  { key: "connections", label: "Connections", number: true, sort: (g) => g.connections, value: (g) => count(g.connections) },
                  { key: "share", label: "Share", number: true, value: (g) => `${Math.round((g.connections / total) * 100)} %` },
                ]}
              />
              {others > 0 && <p class="hint">{counted(others, "connection")} more in groups that are too small to be listed.</p>}
            </>
          )
        }
      </Wait>
    </>
  )
}
