// Preloaded into the processes of pusher-js's own integration suite, whose
// addresses are written into it: connections to an address named in $REDIRECT
// go to a port of this machine instead, and so do listeners. $REDIRECT is a
// JSON object such as {"*.pusher.com:443": 6001, "localhost:3000": 6002}.

'use strict';

const net = require('node:net');

const routes = Object.entries(JSON.parse(process.env.REDIRECT || '{}')).map(([address, port]) => {
  const [host, from] = address.split(':');
  return { suffix: host.replace('*', ''), from: Number(from), port };
});

function find(host, port) {
  return routes.find(({ suffix, from }) => from === Number(port) && host.endsWith(suffix));
}

const { connect } = net.Socket.prototype;
net.Socket.prototype.connect = function (...args) {
  // Either connect(options, …) or what net.connect has made of its arguments:
  // an array that starts with the options, and is known by a symbol on it.
  const list = Array.isArray(args[0]) ? args[0] : args;
  const route = typeof list[0] === 'object' && find(list[0].host || 'localhost', list[0].port);
  if (route) {
    list[0] = { ...list[0], host: '127.0.0.1', port: route.port };
  }
  return connect.apply(this, args);
};

const { listen } = net.Server.prototype;
net.Server.prototype.listen = function (port, ...args) {
  const route = find('localhost', port);
  return route ? listen.call(this, route.port, '127.0.0.1', ...args) : listen.call(this, port, ...args);
};
