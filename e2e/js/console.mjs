// The console in a headless Chromium, used as a person does: by what stands on
// buttons and beside fields. What a page must never do is noted meanwhile.

import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { Browser } from './chromium.mjs';
import { serve } from './lines.mjs';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const chromium = new Browser();
const trouble = [];
let home;
let allowed = []; // origins that a page may ask besides its own

// watched notes what the browser refused to a page.
const watched = `document.addEventListener('securitypolicyviolation', (e) => {
  (window.violations ??= []).push(e.violatedDirective + ' ' + e.blockedURI + ' ' + e.sample)
})`;

// helpers find things by what a person reads.
const helpers = `{
  const shown = (e) => e.checkVisibility?.({ visibilityProperty: true }) ?? true
  const read = (e) => {
    const copy = e.cloneNode(true)
    copy.querySelectorAll('[aria-hidden=true]').forEach((sign) => sign.remove())
    return copy.textContent
  }
  const name = (e) => (e.getAttribute('aria-label') ?? read(e)).trim().replace(/\\s+/g, ' ')
  // In front of the page is what a dialog has.
  const front = () => document.querySelector('dialog[open]') ?? document
  window.press = (text) => {
    const all = [...front().querySelectorAll('button, a[href], summary, [role=tab]')].filter(shown)
    const found = all.find((e) => name(e) === text)
    if (!found) throw new Error('nothing to press says ' + text + ' but: ' + all.map(name).join(' | '))
    if (found.disabled) throw new Error(text + ' is disabled')
    found.click()
  }
  window.field = (label) => {
    const labels = [...front().querySelectorAll('label')].filter(shown)
    const found = labels.find((e) => name(e) === label) ?? labels.find((e) => name(e).startsWith(label))
    if (!found) throw new Error('no field is called ' + label + ' but: ' + labels.map(name).join(' | '))
    return found.control ?? found.querySelector('input, select, textarea')
  }
  window.fill = (label, value) => {
    const f = field(label)
    if (f.type === 'checkbox' || f.type === 'radio') {
      if (f.checked !== value) f.click()
      return
    }
    if (f instanceof HTMLSelectElement) value = [...f.options].find((o) => o.value === value || o.text === value)?.value ?? value
    const kind = f instanceof HTMLTextAreaElement ? HTMLTextAreaElement : f instanceof HTMLSelectElement ? HTMLSelectElement : HTMLInputElement
    Object.getOwnPropertyDescriptor(kind.prototype, 'value').set.call(f, value)
    f.dispatchEvent(new Event('input', { bubbles: true }))
    f.dispatchEvent(new Event('change', { bubbles: true }))
  }
}`;

chromium.onEvent = (method, params) => {
  if (method === 'Runtime.exceptionThrown') {
    trouble.push(`exception: ${params.exceptionDetails.exception?.description ?? params.exceptionDetails.text}`);
  } else if (method === 'Network.requestWillBeSent') {
    const url = new URL(params.request.url);
    if (url.protocol !== 'data:' && url.origin !== home && !allowed.includes(url.origin)) trouble.push(`request to ${url.origin}`);
  }
};

async function open({ url }) {
  home = new URL(url).origin;
  if (!chromium.session) {
    const { targetId } = await chromium.call('Target.createTarget', { url: 'about:blank' });
    chromium.session = (await chromium.call('Target.attachToTarget', { targetId, flatten: true })).sessionId;
    for (const domain of ['Runtime', 'Network', 'Page']) await chromium.call(`${domain}.enable`);
    await chromium.call('Page.addScriptToEvaluateOnNewDocument', { source: watched + '\n' + helpers });
  }
  await noteViolations();
  // about:blank in between, so that an address that differs behind # is loaded.
  for (const next of ['about:blank', url]) {
    await chromium.call('Page.navigate', { url: next });
    await until(() => chromium.evaluate(`location.href.startsWith(${JSON.stringify(next.split('#')[0])}) && document.readyState === "complete"`));
  }
}

async function noteViolations() {
  const seen = await chromium.evaluate('(window.violations ?? []).splice(0)').catch(() => []);
  trouble.push(...seen.map((v) => `policy: ${v}`));
}

async function until(is, patience = 30_000) {
  for (const end = Date.now() + patience; Date.now() < end; await new Promise((next) => setTimeout(next, 20))) {
    if (await is().catch(() => false)) return true;
  }
  return false;
}

const body = 'document.body.innerText';

serve({
  open,
  evaluate: ({ script }) => chromium.evaluate(script),
  press: ({ text, patience }) => retried(`press(${JSON.stringify(text)})`, patience),
  fill: ({ label, value, patience }) => retried(`fill(${JSON.stringify(label)}, ${JSON.stringify(value)})`, patience),

  // see returns when a text is on the page, or with gone, when it is not.
  async see({ text, gone, patience }) {
    const is = `${body}.includes(${JSON.stringify(text)}) !== ${!!gone}`;
    if (!await until(() => chromium.evaluate(is), patience)) {
      throw new Error(`the page ${gone ? 'still says' : 'does not say'} ${JSON.stringify(text)}:\n${await chromium.evaluate(body)}`);
    }
  },

  async await({ script, want, patience }) {
    let last;
    if (!await until(async () => (last = await chromium.evaluate(script)) === want, patience)) {
      throw new Error(`${script} is ${JSON.stringify(last)}, want ${JSON.stringify(want)}`);
    }
  },

  // key types one key as a keyboard does.
  async key({ key }) {
    const code = { Tab: 9, Enter: 13, Escape: 27 }[key];
    const text = key.length === 1 ? key : key === 'Enter' ? '\r' : undefined;
    const params = { key, windowsVirtualKeyCode: code, text, code: key.length > 1 ? key : undefined };
    await chromium.call('Input.dispatchKeyEvent', { type: text ? 'keyDown' : 'rawKeyDown', ...params });
    await chromium.call('Input.dispatchKeyEvent', { type: 'keyUp', ...params });
  },

  screen: ({ width, dark }) => screen(width, dark),

  async picture({ width, dark }) {
    await screen(width, dark);
    const height = await chromium.evaluate('document.documentElement.scrollHeight');
    return (await chromium.call('Page.captureScreenshot', {
      captureBeyondViewport: true, clip: { x: 0, y: 0, width, height: Math.min(height, 4000), scale: 1 },
    })).data;
  },

  // axe returns what is wrong for people who use the page otherwise (WCAG 2.1 A
  // and AA).
  async axe() {
    await chromium.evaluate(`if (!window.axe) { ${axe} } 0`);
    const found = await chromium.evaluate(`axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'], resultTypes: ['violations'] })
      .then((r) => r.violations.map((v) => v.id + ': ' + v.help + ': ' + v.nodes.map((n) => n.html.slice(0, 200) + ' ' + (n.any[0]?.message ?? '')).join(' ; ')))`);
    return found;
  },

  async trouble() {
    await noteViolations();
    return trouble.splice(0);
  },

  // cost is what the page holds, after what is unused was let go of, and what its
  // process has used of a processor until now.
  async cost() {
    await chromium.call('HeapProfiler.collectGarbage');
    const { usedSize } = await chromium.call('Runtime.getHeapUsage');
    return { heap: usedSize, elements: await chromium.evaluate('document.getElementsByTagName("*").length'), ...busiest(chromium.process.pid) };
  },

  allow({ origins }) {
    allowed = origins;
  },
  offline: ({ offline }) => chromium.call('Network.emulateNetworkConditions', { offline, latency: 0, downloadThroughput: -1, uploadThroughput: -1 }),
  close: () => chromium.close(),
});

// busiest is what the process that draws the page has used, which of those of the
// browser is the one that has used most: seconds of a processor, and bytes that are
// resident and its own.
function busiest(browser) {
  const stat = (pid) => readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/.*\) /, '').split(' ');
  let most = { seconds: 0, own: 0 };
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      if (!line.includes('--type=renderer') || !line.includes(chromium.profile) && !descends(pid, browser, stat)) continue;
      const fields = stat(pid);
      const seconds = (Number(fields[11]) + Number(fields[12])) / 100;
      const own = 1024 * Number(/RssAnon:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]);
      if (seconds > most.seconds) most = { seconds, own };
    } catch {
      // a process that has ended meanwhile
    }
  }
  return most;
}

// descends reports whether a process is the browser's.
function descends(pid, browser, stat) {
  for (let p = Number(pid); p > 1; p = Number(stat(p)[1])) if (p === browser) return true;
  return false;
}

async function screen(width, dark) {
  await chromium.call('Emulation.setDeviceMetricsOverride', { width, height: 900, deviceScaleFactor: 1, mobile: width < 500 });
  await chromium.call('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: dark ? 'dark' : 'light' }] });
}

// retried does something when it can be done.
async function retried(script, patience) {
  let last;
  const done = await until(async () => {
    try {
      await chromium.evaluate(script);
      return true;
    } catch (e) {
      last = e;
      throw e;
    }
  }, patience);
  if (!done) throw last;
}
