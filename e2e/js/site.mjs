// A page of somebody else's in a headless Chromium: it is visited, scripts look
// at it and act on it, and it is asked until something is there.

import { Browser } from './chromium.mjs';
import { serve } from './lines.mjs';

const chromium = new Browser();

serve({
  visit: ({ url }) => chromium.visit(url),
  evaluate: ({ script }) => chromium.evaluate(script),

  // await returns when the script gives the value that is wanted, or fails with
  // the last one that it gave.
  async await({ script, want, patience }) {
    let last;
    for (const end = Date.now() + patience; Date.now() < end; await new Promise((next) => setTimeout(next, 20))) {
      last = await chromium.evaluate(script);
      if (last === want) return;
    }
    throw new Error(`${script} is ${JSON.stringify(last)}, want ${JSON.stringify(want)}`);
  },

  async picture({ width, dark }) {
    await chromium.call('Emulation.setDeviceMetricsOverride', { width, height: 900, deviceScaleFactor: 1, mobile: width < 500 });
    await chromium.call('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: dark ? 'dark' : 'light' }] });
    return (await chromium.call('Page.captureScreenshot', { captureBeyondViewport: true })).data;
  },

  close: () => chromium.close(),
});
