// Runs the integration suite of the pusher-js package in build/ in Chromium,
// with the package's own configuration but for the browser: names of the
// hosted service, and the suite's two ports on this machine, lead elsewhere
// ($REDIRECT, as in redirect.cjs), and Firefox is left out. Types are not
// checked: they ask for the packages of other platforms.

'use strict';

const path = require('node:path');
const webpack = require('webpack');
const { merge } = require('webpack-merge');

const suite = path.resolve(__dirname, 'build/pusher-js');
process.chdir(suite); // its configuration has relative names

const config = merge({}, require(path.join(suite, 'spec/config/karma/config.integration')));
config.basePath = suite;
for (const rule of config.webpack.module.rules) {
  if (rule.loader === 'ts-loader') {
    rule.options = { transpileOnly: true };
  }
}

if (process.env.TRANSPORTS) {
  const entry = '**/spec/javascripts/integration/index.transports.js';
  config.files = [entry];
  config.preprocessors = { [entry]: ['webpack'] };
  config.webpack.plugins.push(new webpack.DefinePlugin({ 'process.env.TRANSPORTS': JSON.stringify(process.env.TRANSPORTS) }));
}

const rules = Object.entries(JSON.parse(process.env.REDIRECT)).map(([from, port]) => `MAP ${from} 127.0.0.1:${port}`);
config.browsers = ['Chromium'];
config.customLaunchers = {
  Chromium: {
    base: 'ChromeHeadless',
    flags: ['--no-sandbox', '--disable-quic', '--ignore-certificate-errors', `--host-resolver-rules=${rules.join(',')}`],
  },
};
config.port = Number(process.env.KARMA_PORT);
config.autoWatch = false;

module.exports = (karma) => karma.set(config);
