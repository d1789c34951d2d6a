// The clients of clients.mjs, in a page of a headless Chromium: the same calls
// and reports over standard input and output (lines.mjs), with the browser's
// own XMLHttpRequest, EventSource and rules about origins in between.
//
// The first call is open, which says what the page loads. It is served from an
// origin of its own, and so is whatever it asks its backend: requests to /ask
// are passed on.

import { spawn } from 'node:child_process';
import { createServer } from 'node:http';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const folder = new URL('.', import.meta.url);
const profile = mkdtempSync(join(tmpdir(), 'belfry-chromium-'));

// What the page is made of. Its lines.mjs talks to this process instead of to
// a terminal.
const scripts = {
  '/clients.mjs': readFileSync(new URL('clients.mjs', folder)),
  '/lines.mjs': `
    export const report = (seen) => toTest(JSON.stringify({ report: seen }));
    export function serve(methods) {
      methods.evaluate = ({ script }) => eval(script);
      globalThis.fromTest = async ({ id, method, params }) => {
        try {
          toTest(JSON.stringify({ id, result: (await methods[method](params)) ?? null }));
        } catch (err) {
          toTest(JSON.stringify({ id, error: { message: String(err), status: 0, body: '' } }));
        }
      };
      toTest('ready');
    }`,
  '/pusher-js.mjs': 'export default globalThis.Pusher;',
  '/sockjs-client.js': readOptional('fallback/node_modules/sockjs-client/dist/sockjs.js'),
};

function readOptional(name) {
  try {
    return readFileSync(new URL(name, folder));
  } catch {
    return '';
  }
}

const page = (load) => `<!DOCTYPE html>
<html><head><meta charset="utf-8"><link rel="icon" href="data:,">
<script type="importmap">{"imports": {"pusher-js": "/pusher-js.mjs"}}</script>
${load.map((src) => `<script src="${src}"></script>`).join('\n')}
<script type="module" src="/clients.mjs"></script>
</head><body></body></html>`;

let chromium;
let loaded = [];

const server = createServer(async (request, response) => {
  const url = new URL(request.url, 'http://page');
  if (url.pathname === '/ask') {
    await pass(request, url.searchParams.get('for'), response);
    return;
  }
  const script = scripts[url.pathname];
  response.writeHead(200, { 'Content-Type': script === undefined ? 'text/html' : 'text/javascript' });
  response.end(script ?? page(loaded));
});

// pass passes a request of the page on to its backend, which knows nothing of
// browsers.
async function pass(request, to, response) {
  let body = '';
  for await (const chunk of request) {
    body += chunk;
  }
  const answer = await fetch(to, { method: request.method, body, headers: { 'Content-Type': request.headers['content-type'] } });
  response.writeHead(answer.status, { 'Content-Type': 'application/json' }).end(await answer.text());
}

// A Browser is a Chromium that is driven through a pair of pipes.
class Browser {
  constructor(rules) {
    const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-extensions',
      '--disable-background-networking', '--disable-component-update', '--ignore-certificate-errors', '--remote-debugging-pipe',
      `--user-data-dir=${profile}`, `--host-resolver-rules=${rules}`, 'about:blank'];
    this.process = spawn(process.env.CHROMIUM || 'chromium', flags, { stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe'] });
    this.log = '';
    this.process.stderr.on('data', (text) => { this.log = (this.log + text).slice(-4000); });
    this.process.on('exit', (code) => fail(`chromium ended with ${code}: ${this.log}`));
    this.waiting = new Map();
    this.last = 0;
    let rest = '';
    this.process.stdio[4].on('data', (text) => {
      const parts = (rest + text).split('\0');
      rest = parts.pop();
      parts.forEach((part) => this.take(JSON.parse(part)));
    });
  }

  take({ id, result, error, method, params }) {
    if (id && !this.waiting.has(id)) {
      return; // the browser is being closed
    }
    if (method === 'Runtime.bindingCalled') {
      this.onPage(params.payload);
    } else if (method === 'Runtime.exceptionThrown') {
      process.stderr.write(`page: ${JSON.stringify(params.exceptionDetails)}\n`);
    } else if (id) {
      const [resolve, reject] = this.waiting.get(id);
      this.waiting.delete(id);
      error ? reject(new Error(error.message)) : resolve(result);
    }
  }

  call(method, params = {}) {
    const id = ++this.last;
    this.process.stdio[3].write(JSON.stringify({ id, method, params, sessionId: this.session }) + '\0');
    return new Promise((resolve, reject) => this.waiting.set(id, [resolve, reject]));
  }

  // open shows an address in a tab of its own, and returns when its script is
  // ready.
  async open(url, onPage) {
    const { targetId } = await this.call('Target.createTarget', { url: 'about:blank' });
    this.session = (await this.call('Target.attachToTarget', { targetId, flatten: true })).sessionId;
    await this.call('Runtime.enable');
    await this.call('Runtime.addBinding', { name: 'toTest' });
    const ready = new Promise((resolve) => {
      this.onPage = (text) => {
        text === 'ready' ? resolve() : onPage(text);
      };
    });
    await this.call('Page.navigate', { url });
    await ready;
  }

  async fromTest(call) {
    await this.call('Runtime.evaluate', { expression: `fromTest(${JSON.stringify(call)})` });
  }

  // close returns when all its processes have let go of the profile.
  async close() {
    this.process.removeAllListeners('exit');
    const ended = new Promise((resolve) => this.process.on('exit', resolve));
    this.session = undefined;
    this.process.stdio[3].write(JSON.stringify({ id: ++this.last, method: 'Browser.close' }) + '\0');
    await ended;
  }
}

function fail(message) {
  process.stderr.write(message + '\n');
  process.exit(1);
}

async function open({ load, rules }) {
  loaded = load;
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  chromium = new Browser(rules ?? '');
  await chromium.open(`http://127.0.0.1:${server.address().port}/`, (text) => process.stdout.write(text + '\n'));
}

const lines = createInterface({ input: process.stdin });
let turn = Promise.resolve(); // calls wait for those before them

lines.on('line', (line) => {
  const call = JSON.parse(line);
  turn = turn.then(async () => {
    if (call.method === 'open') {
      await open(call.params);
      process.stdout.write(JSON.stringify({ id: call.id, result: null }) + '\n');
      return;
    }
    if (call.method === 'connect') {
      throughPage(call.params.options);
    }
    await chromium.fromTest(call);
  }).catch((err) => fail(String(err.stack ?? err)));
});

lines.on('close', async () => {
  await chromium?.close();
  rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  process.exit(0);
});

// throughPage makes a client ask its backend through the page's own origin.
function throughPage(options) {
  for (const name of ['channelAuthorization', 'userAuthentication']) {
    const auth = options[name];
    if (auth) {
      auth.endpoint = `/ask?for=${encodeURIComponent(auth.endpoint)}`;
    }
  }
}
