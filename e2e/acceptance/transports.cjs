// The specs of the integration suite that need a server, over the transports
// in $TRANSPORTS instead of those that the suite has in its list. It is copied
// into the suite, which it is bundled with.

const environment = require('testenv');

if (environment === 'web') {
  require('../polyfills');
}
require('core/pusher');

const configs = [];
for (const forceTLS of [false, true]) {
  for (const transport of process.env.TRANSPORTS.split(',')) {
    configs.push({ transport, forceTLS });
  }
}

const specs = require.context('./core', true, /(cluster_config_spec|pusher_spec\/index)\.js$/);
specs.keys().forEach((key) => specs(key)(configs));
