// A headless Chromium, and what tests do with it.

import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

// A Browser is a Chromium that is driven through a pair of pipes.
export class Browser {
  constructor(rules = '') {
    this.profile = mkdtempSync(join(tmpdir(), 'belfry-chromium-'));
    const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-extensions',
      '--disable-background-networking', '--disable-component-update', '--ignore-certificate-errors', '--remote-debugging-pipe',
      `--user-data-dir=${this.profile}`, `--host-resolver-rules=${rules}`, 'about:blank'];
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
      this.onEvent?.(method, params);
    } else if (method) {
      this.onEvent?.(method, params);
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

  // visit shows the page at an address as it is, and returns when it has loaded.
  async visit(url) {
    const { targetId } = await this.call('Target.createTarget', { url });
    this.session = (await this.call('Target.attachToTarget', { targetId, flatten: true })).sessionId;
    while (!await this.evaluate('location.href !== "about:blank" && document.readyState === "complete"')) {
      await new Promise((next) => setTimeout(next, 20));
    }
  }

  // evaluate returns what a script makes of the page.
  async evaluate(expression) {
    const { result, exceptionDetails } = await this.call('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
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
    rmSync(this.profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

export function fail(message) {
  process.stderr.write(message + '\n');
  process.exit(1);
}
