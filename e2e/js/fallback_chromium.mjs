// The clients of clients.mjs, in a page of a headless Chromium: the same calls
// and reports over standard input and output (lines.mjs), with the browser's
// own XMLHttpRequest, EventSource and rules about origins in between.
//
// The first call is open, which says what the page loads. It is served from an
// origin of its own, and so is whatever it asks its backend: requests to /ask
// are passed on.

import { createServer } from 'node:http';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { Browser, fail } from './chromium.mjs';

const folder = new URL('.', import.meta.url);

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
