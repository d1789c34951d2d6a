// Bundles the integration suite of the pusher-js package in the current
// directory with the package's own configuration. Types are not checked: they
// ask for the packages of other platforms. With $TRANSPORTS the suite is run
// over those (transports.cjs).

'use strict';

const path = require('node:path');
const webpack = require('webpack');

const config = require(path.resolve('spec/config/jasmine/webpack.integration.js'));
for (const rule of config.module.rules) {
  if (rule.loader === 'ts-loader') {
    rule.options = { transpileOnly: true };
  }
}
if (process.env.TRANSPORTS) {
  config.entry = { pusher: path.resolve('spec/javascripts/integration/index.transports.js') };
  config.plugins.push(new webpack.DefinePlugin({ 'process.env.TRANSPORTS': JSON.stringify(process.env.TRANSPORTS) }));
}

webpack(config, (err, stats) => {
  if (err) {
    throw err;
  }
  if (stats.hasErrors()) {
    console.error(stats.toString('errors-only'));
    process.exitCode = 1;
  }
});
