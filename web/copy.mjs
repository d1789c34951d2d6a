// Copies what the service serves out of the pusher-js package into the directory
// that is named: the files under the names that pusher-js's loader asks for,
// their version, and the licences. dist/ is embedded in the binary.

import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const from = new URL('node_modules/pusher-js/', import.meta.url);
const to = pathToFileURL(`${resolve(process.argv[2])}/`);

const files = {
  'dist/web': [
    'json2.js',
    'json2.min.js',
    'sockjs.js',
    'sockjs.min.js',
    'pusher.js',
    'pusher.min.js',
    'pusher-with-encryption.js',
    'pusher-with-encryption.min.js',
  ],
  'dist/worker': [
    'pusher.worker.js',
    'pusher.worker.min.js',
    'pusher-with-encryption.worker.js',
    'pusher-with-encryption.worker.min.js',
  ],
};

for (const [folder, names] of Object.entries(files)) {
  for (const name of names) {
    copyFileSync(new URL(`${folder}/${name}`, from), new URL(name, to));
  }
}

// What the minified files refer to for their licences.
for (const name of ['pusher.min.js', 'pusher-with-encryption.min.js']) {
  copyFileSync(new URL(`dist/web/${name}.LICENSE.txt`, from), new URL(`${name}.LICENSE.txt`, to));
}
for (const name of ['pusher.worker.min.js', 'pusher-with-encryption.worker.min.js']) {
  copyFileSync(new URL(`dist/worker/${name}.LICENSE.txt`, from), new URL(`${name}.LICENSE.txt`, to));
}
copyFileSync(new URL('LICENCE', from), new URL('LICENSE.txt', to));

const { version } = JSON.parse(readFileSync(new URL('package.json', from), 'utf8'));
writeFileSync(new URL('version.txt', to), `${version}\n`);
console.log(`pusher-js ${version} is copied; build the binary to embed it`);
