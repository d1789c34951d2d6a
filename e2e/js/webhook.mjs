// A receiver of webhooks that uses the official Node server library to judge
// what came.

import Pusher from 'pusher';
import { serve } from './lines.mjs';

let pusher;

serve({
  configure(options) {
    pusher = new Pusher(options);
  },

  // judge says whether the library accepts a request, and what it reads in it.
  judge({ headers, body }) {
    const hook = pusher.webhook({ headers, rawBody: body });
    return hook.isValid()
      ? { valid: true, events: hook.getEvents(), time: hook.getTime().getTime() }
      : { valid: false };
  },
});
