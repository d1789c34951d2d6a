// What the official Node server library makes of tokens, signatures and
// webhooks, so that tests can compare it with the Go library.

import Pusher from 'pusher';
import { serve } from './lines.mjs';

let pusher;

serve({
  configure(options) {
    pusher = new Pusher(options);
  },

  // authorize returns the token for a channel, with a member or without.
  authorize({ socketID, channel, member }) {
    return pusher.authorizeChannel(socketID, channel, member);
  },

  authenticate({ socketID, user }) {
    return pusher.authenticateUser(socketID, user);
  },

  // sign signs the body of a webhook.
  sign({ body }) {
    return pusher.config.token.sign(body);
  },

  // webhook says whether a webhook is valid, and what is in it.
  webhook({ key, signature, body }) {
    const headers = { 'x-pusher-key': key, 'x-pusher-signature': signature, 'content-type': 'application/json' };
    const webhook = pusher.webhook({ headers, rawBody: body });
    return webhook.isValid()
      ? { valid: true, events: webhook.getEvents(), time: webhook.getTime().getTime() }
      : { valid: false };
  },

  // query returns the signed query of a request.
  query({ method, path, params, body }) {
    return pusher.createSignedQueryString({ method, path, params, body });
  },
});
