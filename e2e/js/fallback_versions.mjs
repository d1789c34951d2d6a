// One client of one release of pusher-js, in Node. The releases are in
// fallback/node_modules under the number of their major version.

import { createRequire } from 'node:module';
import { report, serve } from './lines.mjs';

const require = createRequire(new URL('fallback/', import.meta.url));

serve({
  // connect subscribes to news, and reports all that is seen there.
  connect({ client, release, key, options }) {
    const library = require(`pusher-js-${release}`);
    const Pusher = library.default ?? library.Pusher ?? library;
    const pusher = new Pusher(key, options);
    pusher.connection.bind('state_change', ({ current }) => report({ client, on: 'state', event: current }));
    pusher.connection.bind('error', (err) => report({ client, on: 'error', data: String(err?.error ?? err) }));
    pusher.subscribe('news').bind_global((event, data) => report({ client, on: 'channel', channel: 'news', event, data }));
  },
});
