// What the codes mean with which connections end and messages are refused, and the
// statuses that backends get, in a sentence each.

const meanings: Record<number, string> = {
  1000: "the client closed the connection",
  1001: "the page was left, or the program ended",
  1002: "the client sent what WebSocket does not allow",
  1003: "the client sent a binary message",
  1006: "the connection ended without a word",
  1007: "the client sent text that is not UTF-8",
  1008: "what the client sent inflates to far more than it is",
  1009: "the client sent a message that is too large",
  4000: "the app takes connections over TLS only",
  4001: "no app has that key, or it was deleted",
  4003: "the app is disabled",
  4004: "the app has as many connections as its limit allows",
  4005: "the path is none of the protocol",
  4006: "the version of the protocol is malformed",
  4007: "that version of the protocol is not served",
  4008: "no version of the protocol was named",
  4009: "not authorized in time, terminated, or the origin is not allowed",
  4100: "the client took too little for too long, or the node was full",
  4200: "the client was asked to connect anew",
  4201: "the client did not answer a ping",
  4202: "the connection was silent for too long",
  4301: "too many client events in a second",
  4302: "the watchlist is too long",
  400: "the request is wrong",
  401: "the request is not signed as it should be",
  403: "the app is disabled, or it is forbidden",
  404: "there is no such path or app",
  405: "the path is not asked with this method",
  413: "the request or an event is above a limit",
  415: "the body is not JSON without an encoding",
  429: "more than the limits allow",
  500: "the service has failed",
  503: "the node had too much to do",
}

export function meaning(code: number): string {
  return meanings[code] ?? ""
}
