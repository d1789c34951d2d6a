// A client with the plugin for missed events, with whichever major of pusher-js is
// named. What comes is reported in the order in which the application gets it.

import { createRequire } from 'node:module';
import { report, serve } from './lines.mjs';

const require = createRequire(new URL('./fallback/', import.meta.url));
const belfryHistory = require('../../../web/history/history.js');

let pusher, history;
const kept = new Map(); // as a page's sessionStorage
const storage = { getItem: (k) => kept.get(k) ?? null, setItem: (k, v) => kept.set(k, v) };

serve({
  // connect makes a client as a page would that is loaded anew.
  connect({ release, key, options, plugin }) {
    const library = require(`pusher-js-${release}`);
    const Pusher = library.default ?? library.Pusher ?? library;
    pusher = new Pusher(key, options);
    pusher.connection.bind('state_change', ({ current }) => report({ on: 'state', event: current }));
    if (plugin) {
      history = belfryHistory(pusher, { storage, ...plugin });
    }
  },
  subscribe({ channel }) {
    pusher.subscribe(channel).bind_global((event, data) => report({ on: 'channel', channel, event, data }));
  },
  unsubscribe: ({ channel }) => pusher.unsubscribe(channel),
  // drop breaks the connection as a network does: nobody says goodbye.
  drop: () => pusher.connection.connection.transport.socket.close(),
  disconnect: () => pusher.disconnect(),
  reconnect: () => pusher.connect(),
  position: ({ channel }) => history.position(channel) ?? '',
});
