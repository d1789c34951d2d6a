// Any number of pusher-js clients in one process, each under a name that the
// test gave it. Everything a page could see is reported, with the place where
// it was seen.

import Pusher from 'pusher-js';
import { report, serve } from './lines.mjs';

const clients = new Map();

serve({
  // connect makes a client as a page would, and starts it.
  connect({ client, key, options }) {
    const pusher = new Pusher(key, options);
    clients.set(client, pusher);
    const see = (on) => (event, data) => report({ client, on, event, data });
    pusher.connection.bind('state_change', ({ current }) => see('state')(current));
    pusher.connection.bind('error', (err) => see('error')(err.type, err.data ?? err.error?.data));
    pusher.connection.bind('message', ({ event, channel, data }) =>
      report({ client, on: 'wire', channel, event, data }));
    pusher.user.bind_global(see('user'));
    for (const event of ['online', 'offline']) {
      pusher.user.watchlist.bind(event, ({ user_ids }) => see('watchlist')(event, user_ids));
    }
  },

  // subscribe reports all that is seen on the channel from now on.
  subscribe({ client, channel }) {
    const pusher = clients.get(client);
    const known = pusher.channel(channel);
    const subscribed = pusher.subscribe(channel);
    if (!known) {
      subscribed.bind_global((event, data) =>
        report({ client, on: 'channel', channel, event, data }));
    }
  },

  // bind reports an event with what only a named binding is given: its sender.
  bind({ client, channel, event }) {
    clients.get(client).channel(channel).bind(event, (data, { user_id }) =>
      report({ client, on: 'bind', channel, event, data, user_id }));
  },

  unsubscribe({ client, channel }) {
    clients.get(client).unsubscribe(channel);
  },

  trigger({ client, channel, event, data }) {
    return clients.get(client).channel(channel).trigger(event, data);
  },

  signin({ client }) {
    clients.get(client).signin();
  },

  disconnect({ client }) {
    clients.get(client).disconnect();
  },

  // look answers what the client knows at this moment.
  look({ client }) {
    const { connection, user } = clients.get(client);
    return {
      state: connection.state,
      socket_id: connection.socket_id,
      tls: connection.isUsingTLS(),
      user: user.user_data,
    };
  },

  // members answers who is present on a channel, as that client knows it.
  members({ client, channel }) {
    return clients.get(client).channel(channel).members;
  },
});
