/** The npm package as its users get it: packed, type-checked, built with React, and in plain HTML. */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, readdir, rm, symlink } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { openBrowser } from './browser.mjs';
import { film } from './clips.mjs';

const run = promisify(execFile);
const WEB = fileURLToPath(new URL('..', import.meta.url));
const INSTALLED = fileURLToPath(new URL('node_modules/', import.meta.url));
const BUDGET = 1.5 * 1024 * 1024;
const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.wasm': 'application/wasm' };

let folder;
let packed;
let clip;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'livecheck-package-'));
  const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', folder], { cwd: WEB });
  [packed] = JSON.parse(stdout);
  const modules = join(folder, 'node_modules');
  await mkdir(join(modules, 'livecheck-capture'), { recursive: true });
  const archive = join(folder, packed.filename);
  await run('tar', ['-xzf', archive, '--strip-components=1', '-C', join(modules, 'livecheck-capture')]);
  // What the React example's own `npm install` would bring.
  for (const name of await readdir(INSTALLED)) {
    if (!name.startsWith('.')) await symlink(join(INSTALLED, name), join(modules, name));
  }
  const drawing = await openBrowser();
  clip = await film(drawing.page, Array(20).fill({ good: true }));
  await drawing.close();
});
after(async () => {
  await clip?.remove();
  await rm(folder, { recursive: true, force: true });
});

/** Serves a folder, takes selfies, and says what it got. */
async function serve(root, headers = {}) {
  const selfies = [];
  const server = createServer(async (request, response) => {
    if (request.method === 'POST' && request.url === '/selfie') {
      const parts = [];
      for await (const part of request) parts.push(part);
      selfies.push(Buffer.concat(parts));
      response.end('{}');
      return;
    }
    const path = join(root, request.url.endsWith('/') ? `${request.url}index.html` : request.url);
    const body = await readFile(path).catch(() => null);
    response.writeHead(body ? 200 : 404, { 'content-type': TYPES[extname(path)] ?? 'text/plain', ...headers });
    response.end(body ?? '');
  });
  await new Promise((listening) => {
    server.listen(0, '127.0.0.1', listening);
  });
  return { origin: `http://127.0.0.1:${server.address().port}`, selfies, close: () => server.close() };
}

/** Starts the camera on the page; the photo is taken and sent by itself. */
async function takesAndSends(address, selfies) {
  const { page, problems, close } = await openBrowser({ video: clip.path });
  await page.goto(address);
  await page.getByRole('button', { name: 'Start the camera' }).click();
  await page.getByText('Thank you.').waitFor();
  assert.equal(await page.getByRole('button', { name: 'Upload a photo' }).count(), 0);
  await close();
  assert.equal(selfies.length, 1);
  assert.match(selfies[0].toString('latin1'), /name="image"; filename="selfie\.jpg"[\s\S]*\r\n\r\n\xff\xd8\xff/);
  assert.deepEqual(problems.filter((problem) => !problem.includes('favicon')), []);
}

test('the package is small and has what it needs, nothing more', (context) => {
  const names = packed.files.map(({ path }) => path).sort();
  context.diagnostic(`${packed.filename}: ${packed.size} bytes packed, ${packed.unpackedSize} unpacked`);
  assert.ok(packed.size <= BUDGET, `${packed.size} bytes`);
  for (const name of ['livecheck-capture.js', 'livecheck-capture.d.ts', 'react.d.ts', 'face-detector.wasm', 'texts/ar.js', 'README.md']) {
    assert.ok(names.includes(name), `${name} is missing in ${names}`);
  }
  assert.deepEqual(names.filter((name) => /^(tests|examples|demo|index|sample|errors)/.test(name)), []);
});

test('a page in plain HTML takes and sends the photo', async () => {
  await cp(join(WEB, 'examples/plain'), join(folder, 'plain'), { recursive: true });
  const server = await serve(folder);
  await takesAndSends(`${server.origin}/plain/`, server.selfies);
  server.close();
});

test('a React app is type-checked, built, and takes and sends the photo under a strict policy', async () => {
  const app = join(folder, 'react');
  await cp(join(WEB, 'examples/react'), app, { recursive: true });
  await run(process.execPath, [join(INSTALLED, 'typescript/bin/tsc'), '--project', app], { cwd: app }).catch((error) =>
    assert.fail(error.stdout),
  );
  await run(process.execPath, [join(INSTALLED, 'vite/bin/vite.js'), 'build', '--logLevel', 'warn'], { cwd: app });
  const server = await serve(join(app, 'dist'), {
    'content-security-policy':
      "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'; img-src blob:",
  });
  await takesAndSends(`${server.origin}/`, server.selfies);
  server.close();
});

test('a wrong attribute is a type error', async () => {
  const app = join(folder, 'wrong');
  await cp(join(WEB, 'examples/react'), app, { recursive: true });
  const { writeFile } = await import('node:fs/promises');
  await writeFile(
    join(app, 'main.tsx'),
    `import type {} from 'livecheck-capture/react';
     export const wrong = <livecheck-capture facing="left" onlivecheck-photo={({ detail }) => detail.blub} />;`,
  );
  await assert.rejects(run(process.execPath, [join(INSTALLED, 'typescript/bin/tsc'), '--project', app], { cwd: app }), (error) => {
    assert.match(error.stdout, /"left"/);
    assert.match(error.stdout, /blub/);
    return true;
  });
});
