import { useState } from "preact/hooks"
import { call } from "../../api/client"
import type { Token } from "../../api/schema"
import { useAsk } from "../../api/use"
import type { Page } from "../../shell/page"
import { to } from "../../shell/router"
import { session } from "../../shell/session"
import { Confirm } from "../../ui/dialog"
import { Command } from "../../ui/form"
import { Badge, Empty, Notice, Wait } from "../../ui/state"
import { type Column, Table } from "../../ui/table"
import { Code, Text } from "../../ui/text"
import { Time } from "../../ui/time"
import { visible } from "../../ui/visible"
import { Make } from "./make"

export const accessPage: Page = { path: "access", title: "Access", view: View, least: "operator", menu: { of: "service", key: "m" }, witness: true }

function View() {
  const asked = useAsk("GET /api/v1/tokens")
  const [made, setMade] = useState<Token>()
  const [revoke, setRevoke] = useState<Token>()
  const again = asked.again
  return (
    <>
      <h1>Access</h1>
      <p>Named tokens are for other people and for programs. Each has a role, and is for some apps or for all. The token of the service stays valid beside them.</p>
      {made && <Made token={made} />}
      <Wait asked={asked}>
        {({ tokens }) =>
          tokens.length === 0 ? (
            <Empty>
              <p>There are no named tokens. Whoever has the token of the service is an operator.</p>
            </Empty>
          ) : (
            <Table label="Tokens" rows={tokens} id={(t) => t.name} columns={columns(setRevoke)} />
          )
        }
      </Wait>
      <Make
        onMade={async (token) => {
          setMade(token)
          await again()
        }}
      />
      {revoke && (
        <Confirm
          title="Revoke a token"
          action="Revoke"
          typed={revoke.name}
          onClose={() => setRevoke(undefined)}
          run={async () => {
            await call("DELETE /api/v1/tokens/{name}", { path: { name: revoke.name } })
            if (made?.name === revoke.name) setMade(undefined)
            await again()
          }}
        >
          <p>
            Whoever has the token of <Text value={revoke.name} /> is refused (401), at once on this node and within a second on others. Sessions of the console that began with it end.
          </p>
          {revoke.name === session.value?.name && <p>It is the token of your own session.</p>}
        </Confirm>
      )}
      <Command>{"belfry tokens list\nbelfry tokens create NAME --role developer --app ID\nbelfry tokens revoke NAME"}</Command>
    </>
  )
}

// Made shows a token that was just made. It is told this once.
function Made({ token }: { token: Token }) {
  return (
    <Notice kind="warn">
      <p>
        This is the token of <Text value={token.name} />. It is shown now and never again.
      </p>
      <p>{token.token && <Code value={token.token} />}</p>
    </Notice>
  )
}

function columns(revoke: (t: Token) => void): Column<Token>[] {
  return [
    { key: "name", label: "Name", value: (t) => <Code value={t.name} copy={false} /> },
    { key: "role", label: "Role", value: (t) => t.role },
    {
      key: "apps",
      label: "Apps",
      value: (t) =>
        t.apps.includes("*")
          ? "all"
          : t.apps.map((id) => (
              <>
                <a href={to("apps/:app", { app: id })}>
                  <Text value={id} max={60} />
                </a>{" "}
              </>
            )),
    },
    {
      key: "made",
      label: "Made",
      value: (t) => (
        <>
          <Time at={t.created} /> by <Text value={t.created_by} max={64} />
        </>
      ),
    },
    { key: "ends", label: "Ends", value: (t) => (t.expired ? <Badge kind="off">expired</Badge> : t.expires ? <Time at={t.expires} /> : "never") },
    { key: "used", label: "Used last", value: (t) => (t.last_used ? <Time at={t.last_used} /> : "never") },
    {
      key: "revoke",
      label: "Revoke",
      value: (t) => (
        <span class="actions">
          <a href={to("audit", {}, { who: t.name })}>
            What it did<span class="unseen">: {visible(t.name)}</span>
          </a>
          <button type="button" class="danger" onClick={() => revoke(t)}>
            Revoke<span class="unseen"> {visible(t.name)}</span>
          </button>
        </span>
      ),
    },
  ]
}
