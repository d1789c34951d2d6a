// A process that is driven over its standard input and output, one JSON text
// a line: calls come in as {id, method, params}, each is answered by one
// {id, result} or {id, error}, and what happens meanwhile goes out as
// {report}. Lines leave in the order in which things happened.

import { createInterface } from 'node:readline';

// report tells the test what was seen.
export function report(seen) {
  write({ report: seen });
}

// serve answers calls with methods until the input ends, which ends the
// process: a test that dies leaves nothing behind.
export function serve(methods) {
  const lines = createInterface({ input: process.stdin });
  lines.on('line', (line) => answer(methods, JSON.parse(line)));
  lines.on('close', () => process.exit(0));
}

async function answer(methods, { id, method, params }) {
  try {
    const result = await methods[method](params);
    write({ id, result: result ?? null });
  } catch (err) {
    const { message = String(err), status = 0, body = '' } = err;
    write({ id, error: { message, status, body } });
  }
}

function write(line) {
  process.stdout.write(JSON.stringify(line) + '\n');
}
