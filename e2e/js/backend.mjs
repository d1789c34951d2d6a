// A backend that uses the official Node server library: it triggers, asks,
// and has the two endpoints that pages call for authorization.

import { createServer } from 'node:http';
import Pusher from 'pusher';
import { serve } from './lines.mjs';

let pusher;

serve({
  configure(options) {
    pusher = new Pusher(options);
    return listen();
  },

  async trigger({ channels, event, data, params }) {
    return (await pusher.trigger(channels, event, data, params)).json();
  },

  async triggerBatch({ batch }) {
    return (await pusher.triggerBatch(batch)).json();
  },

  async sendToUser({ user, event, data }) {
    await pusher.sendToUser(user, event, data);
  },

  async terminate({ user }) {
    await pusher.terminateUserConnections(user);
  },

  async get({ path, params }) {
    return (await pusher.get({ path, params })).json();
  },
});

// listen serves the endpoints on a free port and returns their base address.
function listen() {
  const server = createServer(async (request, response) => {
    const form = await readForm(request);
    if (form.get('refuse')) {
      response.writeHead(403).end('not you');
      return;
    }
    const answer = request.url === '/user' ? authenticate(form) : authorize(form);
    response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(answer));
  });
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve(`http://127.0.0.1:${server.address().port}`));
  });
}

function authorize(form) {
  const channel = form.get('channel_name');
  const user = form.get('user');
  const member = channel.startsWith('presence-') && user
    ? { user_id: user, user_info: { name: `${user} of Node` } }
    : undefined;
  return pusher.authorizeChannel(form.get('socket_id'), channel, member);
}

function authenticate(form) {
  const watchlist = form.get('watchlist');
  return pusher.authenticateUser(form.get('socket_id'), {
    id: form.get('user'),
    user_info: { name: `${form.get('user')} of Node` },
    ...(watchlist && { watchlist: watchlist.split(',') }),
  });
}

async function readForm(request) {
  let text = '';
  for await (const chunk of request) {
    text += chunk;
  }
  return new URLSearchParams(text);
}
