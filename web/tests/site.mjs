/** Another site that uses the element: the files of `web/` under the strictest policy that works. */

import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import { extname, join, normalize } from 'node:path';

const WEB = fileURLToPath(new URL('..', import.meta.url));
const TYPES = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.wasm': 'application/wasm',
  '.jpg': 'image/jpeg',
  '.svg': 'image/svg+xml',
};

export const POLICY =
  "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'; " +
  "img-src 'self' blob:; require-trusted-types-for 'script'";

const PAGES = {
  '/': [
    'text/html',
    '<!doctype html><html lang="en"><title>Site</title><script type="module" src="site.js"></script><livecheck-capture></livecheck-capture></html>',
  ],
  '/site.js': [
    'text/javascript',
    `import './livecheck-capture.js';
     window.seen = [];
     for (const name of ['photo', 'hint', 'error', 'state']) {
       addEventListener('livecheck-' + name, (event) => window.seen.push([name, event.detail, performance.now()]));
     }`,
  ],
};

/**
 * @param {{policy?: string, pages?: Record<string, [string, string]>}} options
 * @returns {Promise<{origin: string, requests: string[], close: () => void}>}
 */
export async function startSite({ policy = POLICY, pages = {} } = {}) {
  const requests = [];
  const server = createServer(async (request, response) => {
    const path = new URL(request.url, 'http://site').pathname;
    requests.push(path);
    let [type, body] = { ...PAGES, ...pages }[path] ?? [];
    if (!type) {
      const file = normalize(path);
      type = TYPES[extname(file)] ?? 'application/octet-stream';
      body = file.startsWith('/tests') ? null : await readFile(join(WEB, file)).catch(() => null);
    }
    response.writeHead(body === null ? 404 : 200, { 'content-type': type, 'content-security-policy': policy });
    response.end(body ?? '');
  });
  await new Promise((listening) => {
    server.listen(0, '127.0.0.1', listening);
  });
  return { origin: `http://127.0.0.1:${server.address().port}/`, requests, close: () => server.close() };
}
