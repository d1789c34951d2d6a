// Bundles the integration suite of the pusher-js package in the current
// directory with the package's own configuration. Types are not checked: they
// ask for the packages of other platforms.

'use strict';

const path = require('node:path');
const webpack = require('webpack');

const config = require(path.resolve('spec/config/jasmine/webpack.integration.js'));
for (const rule of config.module.rules) {
  if (rule.loader === 'ts-loader') {
    rule.options = { transpileOnly: true };
  }
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
