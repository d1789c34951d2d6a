// Made from internal/admin/openapi.yaml and the table of settings by go generate ./web/console.

export type Answers = Array<{
  answered: boolean
  name: string
  problem?: string
}>

export type App = {
  activity_timeout?: string
  allowed_origins: Array<string>
  authorization_timeout?: string
  authorized_connections?: boolean
  client_events?: boolean
  created?: string
  disabled: boolean
  hide_payloads?: boolean
  history?: {
    app_bytes?: number
    bytes?: number
    channel_prefixes?: Array<string>
    durable?: boolean
    enabled?: boolean
    events?: number
    rewind?: number
    ttl?: string
  }
  id: string
  keys: Array<Key>
  limits: {
    backend_events_per_second?: number
    cache_ttl?: string
    channel_name_length?: number
    channels_per_connection?: number
    channels_per_event?: number
    client_events_per_second?: number
    connections?: number
    event_data?: number
    event_name_length?: number
    events_per_batch?: number
    presence_members?: number
    presence_user_id?: number
    presence_user_info?: number
    push_devices?: number
    push_publishes_per_second?: number
    read_requests_per_second?: number
    watchlist?: number
  }
  name: string
  push?: {
    apns_certificate?: string
    apns_certificate_password?: string
    apns_environment?: string
    apns_key?: string
    apns_key_id?: string
    apns_team_id?: string
    apns_topic?: string
    enabled?: boolean
    fcm_service_account?: string
    instance_id?: string
    secret_key?: string
    vapid_contact?: string
    vapid_former_keys?: Array<string>
    vapid_key?: string
    webhook_events?: Array<string>
    webhook_secret?: string
    webhooks?: Array<string>
  }
  revision?: number
  source: "configuration" | "store"
  subscription_count?: boolean
  tls_only?: boolean
  updated?: string
  watchlist_events?: boolean
  webhooks: Array<Webhook>
}

export type AppChange = {
  activity_timeout?: string | null
  allowed_origins?: Array<string> | null
  authorization_timeout?: string | null
  authorized_connections?: boolean | null
  client_events?: boolean | null
  disabled?: boolean | null
  hide_payloads?: boolean | null
  history?: {
    app_bytes?: number | null
    bytes?: number | null
    channel_prefixes?: Array<string> | null
    durable?: boolean | null
    enabled?: boolean | null
    events?: number | null
    rewind?: number | null
    ttl?: string | null
  } | null
  id?: string
  limits?: {
    backend_events_per_second?: number | null
    cache_ttl?: string | null
    channel_name_length?: number | null
    channels_per_connection?: number | null
    channels_per_event?: number | null
    client_events_per_second?: number | null
    connections?: number | null
    event_data?: number | null
    event_name_length?: number | null
    events_per_batch?: number | null
    presence_members?: number | null
    presence_user_id?: number | null
    presence_user_info?: number | null
    push_devices?: number | null
    push_publishes_per_second?: number | null
    read_requests_per_second?: number | null
    watchlist?: number | null
  } | null
  name?: string | null
  push?: {
    apns_certificate?: string | null
    apns_certificate_password?: string | null
    apns_environment?: string | null
    apns_key?: string | null
    apns_key_id?: string | null
    apns_team_id?: string | null
    apns_topic?: string | null
    enabled?: boolean | null
    fcm_service_account?: string | null
    instance_id?: string | null
    secret_key?: string | null
    vapid_contact?: string | null
    vapid_former_keys?: Array<string> | null
    vapid_key?: string | null
    webhook_events?: Array<string> | null
    webhook_secret?: string | null
    webhooks?: Array<string> | null
  } | null
  subscription_count?: boolean | null
  tls_only?: boolean | null
  watchlist_events?: boolean | null
  webhooks?: Array<Webhook> | null
}

export type AppError = {
  advice?: string
  cause: string
  counts: Array<number>
  detail: string
  example: {
    address?: string
    at: string
    channel?: string
    code?: number
    event?: string
    key?: string
    library?: string
    node: string
    origin?: string
    socket?: string
    text: string
    user?: string
  }
  first: string
  from: "client" | "backend" | "webhook" | "service"
  last: string
  total: number
  until: string
}

export type AppNow = {
  connections: number
  errors_hour: number
  id: string
  last_minute: Slot
}

export type AppUsed = {
  backend_events: number
  client_events: number
  deliveries: number
  id: string
  peak_connections: number
  requests: number
}

export type Attempt = {
  answer?: string
  answer_cut?: boolean
  at: string
  error?: string
  headers?: Array<HeaderField>
  manual?: boolean
  number: number
  reason?: string
  status?: number
  took_ms: number
}

export type AuditEntry = {
  action: string
  address?: string
  app?: string
  at: string
  detail?: string
  id: number
  left_out?: number
  node: string
  role?: Role
  status: number
  target?: string
  via?: "token" | "login" | "code" | "open"
  who?: string
}

export type Channel = {
  cached?: {
    bytes: number
    data?: string
    expires: string
  }
  kind: "public" | "private" | "private-encrypted" | "presence" | "public-cache" | "private-cache" | "private-encrypted-cache" | "presence-cache"
  name: string
  occupied: boolean
  order: number
  subscriptions: number
  users?: number
}

export type ChannelDetail = {
  at: string
  cached?: {
    bytes: number
    data?: string
    expires: string
  }
  kind: "public" | "private" | "private-encrypted" | "presence" | "public-cache" | "private-cache" | "private-encrypted-cache" | "presence-cache"
  members?: Array<{
    nodes: number
    sockets_here: number
    user: string
    user_info?: unknown
  }>
  name: string
  next?: string
  nodes: Answers
  occupied: boolean
  order: number
  subscribers: Array<Connection>
  subscriptions: number
  users?: number
}

export type Cluster = {
  counters: {
    decisions: number
    drops: number
    repairs: number
    slow_consumers: number
  }
  engine: {
    embedded: boolean
    lost?: Array<{
      at: string
      held: string
      missing: boolean
      stream: string
    }>
    peers: Array<EnginePeer>
    state: "ok" | "unavailable" | "disk_full" | "no_quorum" | "removed"
  }
  grace_ms: number
  lease_ms: number
  log?: ClusterLog
  node: {
    id: string
    name: string
    since: string
    state: "starting" | "ready" | "draining" | "cut_off"
    version: string
  }
  nodes: Array<ClusterNode>
  notes: Array<Finding>
  other_releases?: Array<string>
  pending_limit_bytes?: number
  problems: Array<Finding>
  quorum: boolean
  settled: boolean
}

export type ClusterLog = {
  current: boolean
  given_up: number
  given_up_at?: string
  lag: number
  leader: string
  position: number
  stream: string
}

export type ClusterNode = {
  differs?: Array<string>
  dropped: number
  id?: string
  last_heard_ms: number
  leader: boolean
  lease?: {
    contributions: number
    last_batch_ms: number
    pending: number
    suspect: boolean
    untold: number
  }
  lost: number
  name: string
  pending_bytes: number
  received: number
  round_trip_ms: number
  self: boolean
  sent: number
  sockets: number
  state: "starting" | "ready" | "draining" | "cut_off" | "suspect" | "leaving" | "absent" | "unheard"
  version?: string
  witness: boolean
}

export type Connection = {
  address?: string
  joined?: string
  library?: string
  member?: string
  node: string
  origin?: string
  protocol?: number
  silent_seconds: number
  since: string
  socket: string
  subscriptions: number
  tls: boolean
  transport?: string
  user?: string
  version?: string
  waiting_bytes: number
}

export type ConnectionDetail = {
  address?: string
  channels: Array<{
    channel: string
    joined: string
    member?: string
  }>
  joined?: string
  library?: string
  member?: string
  node: string
  origin?: string
  protocol?: number
  silent_seconds: number
  since: string
  socket: string
  subscriptions: number
  tls: boolean
  transport?: string
  user?: string
  version?: string
  waiting_bytes: number
}

export type DeadLetter = {
  app: string
  at: string
  attempts: number
  endpoint: string
  error?: string
  events: Array<{
    event: Record<string, unknown>
    id: string
  }>
  host?: string
  id: number
  reason: "exhausted" | "down" | "overflow" | "removed"
  status?: number
}

export type Delivery = {
  attempts: number
  began: string
  endpoint: string
  event_count: number
  events: Array<{
    channel: string
    id: string
    name: string
  }>
  id: string
  last?: Attempt
  node: string
  state: "waiting" | "delivered" | "dead_letter" | "split"
  url: string
}

export type DeliveryDetail = {
  attempts: number
  began: string
  body?: string
  endpoint: string
  event_count: number
  events: Array<{
    channel: string
    id: string
    name: string
  }>
  headers: Array<HeaderField>
  id: string
  last?: Attempt
  node: string
  state: "waiting" | "delivered" | "dead_letter" | "split"
  tries: Array<Attempt>
  url: string
}

export type Drain = {
  connections: number
  draining: boolean
  since: string
}

export type Endpoint = {
  app: string
  endpoint: string
  events: Array<string>
  failures: number
  last_error?: string
  last_failure?: string
  last_status?: number
  last_success?: string
  oldest_seconds: number
  queued_bytes: number
  state: "ok" | "failing" | "down"
  url: string
}

export type EnginePeer = {
  current: boolean
  lag: number
  last_heard_ms: number
  leader: boolean
  name: string
  offline: boolean
  witness: boolean
}

export type Explanation = {
  event?: {
    channel: string
    elsewhere: number
    handed: number
    here: number
    id: string
    name: string
    node?: string
    size: number
    time: string
  }
  findings: Array<{
    advice?: string
    evidence: Array<{
      node?: string
      text: string
      time: string
    }>
    socket?: string
    text: string
    unknown?: Array<string>
    user?: string
    verdict: "never_published" | "other_name" | "nobody_subscribed" | "not_subscribed" | "other_app" | "excluded" | "disconnected" | "too_slow" | "lost_between_nodes" | "client_event_refused" | "handed_over" | "waiting" | "unknown"
  }>
  nodes: Array<{
    answered: boolean
    detail?: string
    events_since?: string
    lives_since?: string
    name: string
  }>
  others?: Array<string>
}

export type Finding = {
  advice?: string
  code: "removed" | "no_quorum" | "cut_off" | "disk_full" | "engine_unavailable" | "store_missing" | "no_log_leader" | "not_member" | "different_settings" | "other_release" | "duplicate_name" | "node_absent" | "node_suspect" | "node_unheard" | "lease_suspect" | "link_full" | "catching_up" | "log_lag" | "not_settled" | "two_nodes" | "store_lost" | "given_up" | "messages_lost" | "events_dropped" | "versions" | "node_going" | "untold"
  node?: string
  text: string
}

export type HeaderField = {
  hidden?: boolean
  name: string
  value: string
}

export type Hour = {
  backend_events: number
  client_events: number
  deliveries: number
  hour: string
  peak_connections: number
  requests: number
}

export type KeptEvent = {
  bytes: number
  data?: unknown
  except?: string
  name: string
  place: string
  time: string
  user?: string
}

export type Key = {
  created?: string
  key: string
  secret?: string
}

export type KeyUse = {
  key: string
  last?: string
  last_hour: number
  uses: Array<{
    by: string
    kind: "request" | "connection" | "signature"
    last: string
    last_hour: number
  }>
}

export type LiveRow = {
  channel?: string
  channel_count?: number
  channels?: Array<string>
  client?: {
    address?: string
    key?: string
    library?: string
    origin?: string
    tls?: boolean
    transport?: string
  }
  closed_by?: "service" | "client" | "network"
  code?: number
  count?: number | null
  data?: string
  detail?: string
  elsewhere?: number
  event?: string
  event_id?: string
  except?: string
  hash?: string
  here?: number
  lasted?: number
  no_data?: string
  node?: string
  nodes?: Array<{
    answered: boolean
    detail?: string
    name: string
  }>
  reason?: "rate" | "slow_reader" | "busy_node" | "lost"
  size?: number
  socket?: string
  time?: string
  type: "connection" | "disconnection" | "refused_connection" | "slow_client_closed" | "occupied" | "vacated" | "subscribed" | "unsubscribed" | "api_message" | "client_event" | "presence_event" | "signed_in" | "watchlist" | "cache_miss" | "terminated" | "client_error" | "api_error" | "error" | "webhook_sent" | "webhook_failed" | "config_change" | "gap" | "nodes"
  user?: string
  waiting?: number
}

export type Moment = {
  channel?: string
  code?: number
  detail?: string
  elsewhere?: number
  event?: string
  event_id?: string
  handed?: number
  here?: number
  node?: string
  size?: number
  socket?: string
  time: string
  type: "connection" | "disconnection" | "refused_connection" | "subscribed" | "unsubscribed" | "signed_in" | "api_message" | "client_event" | "client_error" | "api_error" | "error" | "arrived"
  user?: string
}

export type NewApp = {
  activity_timeout?: string
  allowed_origins?: Array<string>
  authorization_timeout?: string
  authorized_connections?: boolean
  client_events?: boolean
  disabled?: boolean
  hide_payloads?: boolean
  history?: {
    app_bytes?: number
    bytes?: number
    channel_prefixes?: Array<string>
    durable?: boolean
    enabled?: boolean
    events?: number
    rewind?: number
    ttl?: string
  }
  id?: string
  keys?: Array<NewKey>
  limits?: {
    backend_events_per_second?: number
    cache_ttl?: string
    channel_name_length?: number
    channels_per_connection?: number
    channels_per_event?: number
    client_events_per_second?: number
    connections?: number
    event_data?: number
    event_name_length?: number
    events_per_batch?: number
    presence_members?: number
    presence_user_id?: number
    presence_user_info?: number
    push_devices?: number
    push_publishes_per_second?: number
    read_requests_per_second?: number
    watchlist?: number
  }
  name?: string
  push?: {
    apns_certificate?: string
    apns_certificate_password?: string
    apns_environment?: string
    apns_key?: string
    apns_key_id?: string
    apns_team_id?: string
    apns_topic?: string
    enabled?: boolean
    fcm_service_account?: string
    instance_id?: string
    secret_key?: string
    vapid_contact?: string
    vapid_former_keys?: Array<string>
    vapid_key?: string
    webhook_events?: Array<string>
    webhook_secret?: string
    webhooks?: Array<string>
  }
  subscription_count?: boolean
  tls_only?: boolean
  watchlist_events?: boolean
  webhooks?: Array<Webhook>
}

export type NewEvent = {
  channel?: string
  channels?: Array<string>
  data: unknown
  info?: string
  name: string
  socket_id?: string
}

export type NewKey = {
  key: string
  secret: string
}

export type Node = {
  clustered: boolean
  connections?: number
  http_path?: string
  listen?: string
  name: string
  path?: string
  ready: boolean
  reason?: string
  since: string
  tls_listen?: string
  version: string
  witness: boolean
}

export type Problem = {
  detail?: string
  mistakes?: Array<{
    name: string
    text: string
  }>
  status: number
  title: string
}

export type Role = "viewer" | "developer" | "app-admin" | "operator"

export type Session = {
  apps: Array<string>
  ends?: string
  idle_seconds?: number
  name: string
  role: Role
  via: "token" | "login" | "code" | "open"
}

export type SettingInfo = {
  default: string
  kind: string
  name: string
  text: string
}

export type Slot = {
  at: string
  backend_events: number
  client_events: number
  deliveries: number
  peak_connections: number
  requests: number
}

export type Snippet = {
  code: string
  file: string
  title: string
}

export type Token = {
  apps: Array<string>
  created: string
  created_by: string
  expired: boolean
  expires?: string
  last_used?: string
  name: string
  role: Role
  token?: string
}

export type Triggered = {
  answer: Record<string, unknown>
  elsewhere: number
  event_ids: Array<string>
  here: number
}

export type Used = {
  backend_events: number
  client_events: number
  deliveries: number
  peak_connections: number
  requests: number
}

export type User = {
  id: string
  online: boolean
  sockets: number
  watchers: number
}

export type UserDetail = {
  at: string
  channels: Array<string>
  id: string
  nodes: Answers
  online: boolean
  sockets: number
  watchers: number
}

export type Webhook = {
  batch?: boolean
  channel_prefixes?: Array<string>
  channel_prefixes_except?: Array<string>
  channel_suffixes?: Array<string>
  events?: Array<string>
  headers?: Array<string>
  id?: string
  url: string
}

// Calls are what the API can be asked.
export interface Calls {
  "GET /api/v1/apps": {
    path: {  }
    query: { after?: string; limit?: number }
    body: undefined
    answer: {
      apps: Array<App>
      next?: string
    }
  }
  "POST /api/v1/apps": {
    path: {  }
    query: {  }
    body: NewApp
    answer: App
  }
  "DELETE /api/v1/apps/{id}": {
    path: { id: string }
    query: {  }
    body: undefined
    answer: undefined
  }
  "GET /api/v1/apps/{id}": {
    path: { id: string }
    query: {  }
    body: undefined
    answer: App
  }
  "PATCH /api/v1/apps/{id}": {
    path: { id: string }
    query: {  }
    body: AppChange
    answer: App
  }
  "POST /api/v1/apps/{id}/batch_events": {
    path: { id: string }
    query: {  }
    body: {
      batch: Array<NewEvent>
    }
    answer: Triggered
  }
  "GET /api/v1/apps/{id}/channels": {
    path: { id: string }
    query: { prefix?: string; order?: "name" | "subscriptions"; after?: string; limit?: number }
    body: undefined
    answer: {
      at: string
      channels: Array<Channel>
      next?: string
    }
  }
  "GET /api/v1/apps/{id}/channels/{channel}": {
    path: { id: string; channel: string }
    query: { payloads?: boolean; after?: string; limit?: number }
    body: undefined
    answer: ChannelDetail
  }
  "GET /api/v1/apps/{id}/channels/{channel}/history": {
    path: { id: string; channel: string }
    query: { payloads?: boolean; direction?: "backwards" | "forwards"; after?: string; limit?: number }
    body: undefined
    answer: {
      at: string
      events: Array<KeptEvent>
      more: boolean
      position: string
      reason?: string
    }
  }
  "GET /api/v1/apps/{id}/connections": {
    path: { id: string }
    query: { channel?: string; user?: string; origin?: string; library?: string; transport?: string; address?: string; unsubscribed?: boolean; by?: "origin" | "library" | "transport" | "user" | "node"; after?: string; limit?: number }
    body: undefined
    answer: {
      at: string
      connections?: Array<Connection>
      groups?: Array<{
        connections: number
        value: string
      }>
      next?: string
      nodes: Answers
      others?: number
      total: number
    }
  }
  "DELETE /api/v1/apps/{id}/connections/{socket}": {
    path: { id: string; socket: string }
    query: { code?: "4009" | "4200" }
    body: undefined
    answer: undefined
  }
  "GET /api/v1/apps/{id}/connections/{socket}": {
    path: { id: string; socket: string }
    query: {  }
    body: undefined
    answer: ConnectionDetail
  }
  "POST /api/v1/apps/{id}/diagnostics/check": {
    path: { id: string }
    query: {  }
    body: {
      auth: string
      channel: string
      channel_data?: string
      shared_secret?: string
      socket_id: string
    }
    answer: {
      advice?: string
      detail: string
      text?: string
      verdict: "ok" | "failed"
    }
  }
  "POST /api/v1/apps/{id}/diagnostics/sign": {
    path: { id: string }
    query: {  }
    body: {
      channel?: string
      socket_id: string
      user?: string
    }
    answer: {
      auth: string
      channel_data?: string
      shared_secret?: string
      user_data?: string
    }
  }
  "GET /api/v1/apps/{id}/errors": {
    path: { id: string }
    query: {  }
    body: undefined
    answer: {
      at: string
      errors: Array<AppError>
      nodes: Answers
    }
  }
  "POST /api/v1/apps/{id}/events": {
    path: { id: string }
    query: {  }
    body: NewEvent
    answer: Triggered
  }
  "GET /api/v1/apps/{id}/explain": {
    path: { id: string }
    query: { event?: string; channel?: string; name?: string; from?: string; to?: string; socket?: string; user?: string }
    body: undefined
    answer: Explanation
  }
  "GET /api/v1/apps/{id}/key-uses": {
    path: { id: string }
    query: {  }
    body: undefined
    answer: {
      at: string
      keys: Array<KeyUse>
      nodes: Answers
    }
  }
  "POST /api/v1/apps/{id}/keys": {
    path: { id: string }
    query: {  }
    body: NewKey
    answer: Key
  }
  "DELETE /api/v1/apps/{id}/keys/{key}": {
    path: { id: string; key: string }
    query: {  }
    body: undefined
    answer: undefined
  }
  "GET /api/v1/apps/{id}/live": {
    path: { id: string }
    query: { type?: Array<string>; channel?: Array<string>; event?: Array<string>; socket?: Array<string>; user?: Array<string>; node?: Array<string>; sample?: number; rate?: string; data?: boolean }
    body: undefined
    answer: undefined
  }
  "GET /api/v1/apps/{id}/now": {
    path: { id: string }
    query: {  }
    body: undefined
    answer: {
      at: string
      channels: number
      connections: number
      errors_hour: number
      id: string
      last_minute: Slot
      nodes: Answers
      subscriptions: number
    }
  }
  "GET /api/v1/apps/{id}/snippets": {
    path: { id: string }
    query: { url: string }
    body: undefined
    answer: {
      snippets: Array<Snippet>
    }
  }
  "GET /api/v1/apps/{id}/timeline": {
    path: { id: string }
    query: { socket?: string; channel?: string; user?: string; limit?: number }
    body: undefined
    answer: {
      at: string
      nodes: Array<{
        answered: boolean
        detail?: string
        events_since?: string
        lives_since?: string
        name: string
      }>
      rows: Array<Moment>
    }
  }
  "GET /api/v1/apps/{id}/usage": {
    path: { id: string }
    query: { from?: string; to?: string }
    body: undefined
    answer: {
      from: string
      hours: Array<Hour>
      to: string
      total: Used
    }
  }
  "GET /api/v1/apps/{id}/usage/minutes": {
    path: { id: string }
    query: { step?: "1" | "5" }
    body: undefined
    answer: {
      at: string
      nodes: Answers
      slots: Array<Slot>
    }
  }
  "GET /api/v1/apps/{id}/users": {
    path: { id: string }
    query: { prefix?: string; after?: string; limit?: number }
    body: undefined
    answer: {
      at: string
      next?: string
      nodes: Answers
      users: Array<User>
    }
  }
  "GET /api/v1/apps/{id}/users/{user}": {
    path: { id: string; user: string }
    query: {  }
    body: undefined
    answer: UserDetail
  }
  "POST /api/v1/apps/{id}/users/{user}/terminate": {
    path: { id: string; user: string }
    query: {  }
    body: undefined
    answer: Record<string, unknown>
  }
  "GET /api/v1/apps/{id}/webhooks/deliveries": {
    path: { id: string }
    query: { endpoint?: string; state?: "waiting" | "delivered" | "dead_letter" | "split"; event?: string; channel?: string; after?: string; limit?: number }
    body: undefined
    answer: {
      at: string
      deliveries: Array<Delivery>
      next?: string
      nodes: Answers
    }
  }
  "GET /api/v1/apps/{id}/webhooks/deliveries/{delivery}": {
    path: { id: string; delivery: string }
    query: { payloads?: boolean }
    body: undefined
    answer: DeliveryDetail
  }
  "POST /api/v1/apps/{id}/webhooks/deliveries/{delivery}/redeliver": {
    path: { id: string; delivery: string }
    query: {  }
    body: Record<string, unknown>
    answer: Attempt
  }
  "GET /api/v1/audit": {
    path: {  }
    query: { app?: string; who?: string; after?: string; limit?: number }
    body: undefined
    answer: {
      at: string
      entries: Array<AuditEntry>
      next?: string
    }
  }
  "GET /api/v1/cluster": {
    path: {  }
    query: {  }
    body: undefined
    answer: Cluster
  }
  "POST /api/v1/cluster/remove": {
    path: {  }
    query: {  }
    body: {
      name: string
    }
    answer: undefined
  }
  "GET /api/v1/drain": {
    path: {  }
    query: {  }
    body: undefined
    answer: Drain
  }
  "POST /api/v1/drain": {
    path: {  }
    query: {  }
    body: undefined
    answer: Drain
  }
  "GET /api/v1/errors": {
    path: {  }
    query: {  }
    body: undefined
    answer: {
      at: string
      errors: Array<AppError>
      nodes: Answers
    }
  }
  "GET /api/v1/node": {
    path: {  }
    query: {  }
    body: undefined
    answer: Node
  }
  "GET /api/v1/now": {
    path: {  }
    query: { after?: string; limit?: number }
    body: undefined
    answer: {
      apps: Array<AppNow>
      at: string
      next?: string
      nodes: Answers
    }
  }
  "GET /api/v1/push/providers": {
    path: {  }
    query: { app: string }
    body: undefined
    answer: {
      app: string
      providers: Array<{
        cause?: string
        host?: string
        next?: string
        platform: "apns" | "fcm" | "web"
        since?: string
        state: "ok" | "missing" | "invalid" | "refused" | "paused"
      }>
    }
  }
  "POST /api/v1/push/test": {
    path: {  }
    query: {  }
    body: {
      app: string
      device: string
    }
    answer: {
      accepted: boolean
      device: string
      id?: string
      platform: string
      reason?: string
      took_ms: number
      verdict: string
    }
  }
  "DELETE /api/v1/session": {
    path: {  }
    query: {  }
    body: undefined
    answer: undefined
  }
  "GET /api/v1/session": {
    path: {  }
    query: {  }
    body: undefined
    answer: Session
  }
  "POST /api/v1/session": {
    path: {  }
    query: {  }
    body: {
      code?: string
      token?: string
    }
    answer: Session
  }
  "POST /api/v1/session/code": {
    path: {  }
    query: {  }
    body: undefined
    answer: {
      code: string
      until: string
    }
  }
  "GET /api/v1/settings": {
    path: {  }
    query: {  }
    body: undefined
    answer: {
      app: Array<SettingInfo>
      webhook: Array<SettingInfo>
    }
  }
  "GET /api/v1/tokens": {
    path: {  }
    query: {  }
    body: undefined
    answer: {
      tokens: Array<Token>
    }
  }
  "POST /api/v1/tokens": {
    path: {  }
    query: {  }
    body: {
      apps?: Array<string>
      expires?: string
      name: string
      role: Role
    }
    answer: Token
  }
  "DELETE /api/v1/tokens/{name}": {
    path: { name: string }
    query: {  }
    body: undefined
    answer: undefined
  }
  "GET /api/v1/usage": {
    path: {  }
    query: { from?: string; to?: string; after?: string; limit?: number }
    body: undefined
    answer: {
      apps: Array<AppUsed>
      from: string
      next?: string
      to: string
    }
  }
  "GET /api/v1/webhooks": {
    path: {  }
    query: { app?: string; after?: string; limit?: number }
    body: undefined
    answer: {
      endpoints: Array<Endpoint>
      next?: string
    }
  }
  "GET /api/v1/webhooks/dead-letters": {
    path: {  }
    query: { app?: string; endpoint?: string; after?: string; limit?: number }
    body: undefined
    answer: {
      dead_letters: Array<DeadLetter>
      next?: string
    }
  }
  "POST /api/v1/webhooks/replay": {
    path: {  }
    query: {  }
    body: {
      after?: string
      app?: string
      endpoint?: string
      ids?: Array<number>
    }
    answer: {
      events: number
      missing?: Array<number>
      more: boolean
      next?: string
      replayed: number
      skipped?: Array<number>
    }
  }
  "POST /api/v1/webhooks/test": {
    path: {  }
    query: {  }
    body: {
      app: string
      endpoint?: string
    }
    answer: {
      delivered: boolean
      endpoint: string
      error?: string
      reason?: string
      status?: number
      took_ms: number
      url: string
    }
  }
}

export interface Setting { name: string; kind: string; initial: string }

export const appSettings: Setting[] = [
  { name: "id", kind: "text", initial: "" },
  { name: "name", kind: "text", initial: "\"\"" },
  { name: "disabled", kind: "switch", initial: "false" },
  { name: "tls_only", kind: "switch", initial: "false" },
  { name: "client_events", kind: "switch", initial: "false" },
  { name: "subscription_count", kind: "switch", initial: "false" },
  { name: "watchlist_events", kind: "switch", initial: "false" },
  { name: "authorized_connections", kind: "switch", initial: "false" },
  { name: "hide_payloads", kind: "switch", initial: "false" },
  { name: "authorization_timeout", kind: "duration", initial: "30s" },
  { name: "activity_timeout", kind: "duration", initial: "120s" },
  { name: "allowed_origins", kind: "list", initial: "[\"*\"]" },
  { name: "limits.connections", kind: "number", initial: "0" },
  { name: "limits.channels_per_connection", kind: "number", initial: "10000" },
  { name: "limits.client_events_per_second", kind: "number", initial: "10" },
  { name: "limits.backend_events_per_second", kind: "number", initial: "0" },
  { name: "limits.read_requests_per_second", kind: "number", initial: "0" },
  { name: "limits.channel_name_length", kind: "number", initial: "200" },
  { name: "limits.event_name_length", kind: "number", initial: "200" },
  { name: "limits.event_data", kind: "size", initial: "10KiB" },
  { name: "limits.channels_per_event", kind: "number", initial: "100" },
  { name: "limits.events_per_batch", kind: "number", initial: "10" },
  { name: "limits.presence_members", kind: "number", initial: "100" },
  { name: "limits.presence_user_id", kind: "number", initial: "128" },
  { name: "limits.presence_user_info", kind: "size", initial: "1KiB" },
  { name: "limits.watchlist", kind: "number", initial: "100" },
  { name: "limits.push_devices", kind: "number", initial: "1000000" },
  { name: "limits.push_publishes_per_second", kind: "number", initial: "100" },
  { name: "limits.cache_ttl", kind: "duration", initial: "30m" },
  { name: "history.enabled", kind: "switch", initial: "false" },
  { name: "history.channel_prefixes", kind: "list", initial: "[]" },
  { name: "history.ttl", kind: "duration", initial: "2m" },
  { name: "history.events", kind: "number", initial: "1000" },
  { name: "history.bytes", kind: "size", initial: "256KiB" },
  { name: "history.app_bytes", kind: "size", initial: "64MiB" },
  { name: "history.rewind", kind: "number", initial: "100" },
  { name: "history.durable", kind: "switch", initial: "false" },
  { name: "push.enabled", kind: "switch", initial: "false" },
  { name: "push.instance_id", kind: "text", initial: "\"\"" },
  { name: "push.secret_key", kind: "text", initial: "\"\"" },
  { name: "push.apns_team_id", kind: "text", initial: "\"\"" },
  { name: "push.apns_key_id", kind: "text", initial: "\"\"" },
  { name: "push.apns_key", kind: "text", initial: "\"\"" },
  { name: "push.apns_certificate", kind: "text", initial: "\"\"" },
  { name: "push.apns_certificate_password", kind: "text", initial: "\"\"" },
  { name: "push.apns_environment", kind: "auto, production or sandbox", initial: "auto" },
  { name: "push.apns_topic", kind: "text", initial: "\"\"" },
  { name: "push.fcm_service_account", kind: "text", initial: "\"\"" },
  { name: "push.vapid_key", kind: "text", initial: "\"\"" },
  { name: "push.vapid_former_keys", kind: "list", initial: "[]" },
  { name: "push.vapid_contact", kind: "text", initial: "\"\"" },
  { name: "push.webhooks", kind: "list", initial: "[]" },
  { name: "push.webhook_secret", kind: "text", initial: "\"\"" },
  { name: "push.webhook_events", kind: "list", initial: "[]" },
]

export const webhookSettings: Setting[] = [
  { name: "url", kind: "text", initial: "" },
  { name: "id", kind: "text", initial: "\"\"" },
  { name: "events", kind: "list", initial: "[]" },
  { name: "channel_prefixes", kind: "list", initial: "[]" },
  { name: "channel_prefixes_except", kind: "list", initial: "[]" },
  { name: "channel_suffixes", kind: "list", initial: "[]" },
  { name: "headers", kind: "list", initial: "[]" },
  { name: "batch", kind: "switch", initial: "true" },
]

