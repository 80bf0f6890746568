/** Starts the real binary with a database of its own, and makes keys. */

import { execFile, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** How long a start may take: a debug build tests its models first. */
const START_MS = 120_000;

/** The settings of the service come from its flags alone, not from this machine's variables. */
const env = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !name.startsWith('LIVECHECK_')),
);

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/**
 * @param {string[]} settings  more flags for `livecheck serve`
 * @returns {Promise<{origin: string, key: string, sessionKey: string, stop: () => Promise<void>}>}
 */
export async function startService(settings = []) {
  const binary = process.env.LIVECHECK_BINARY;
  if (!binary) throw new Error('set LIVECHECK_BINARY to the path of the livecheck binary');
  const folder = await mkdtemp(join(tmpdir(), 'livecheck-page-'));
  const database = `sqlite://${join(folder, 'store.db')}`;
  const origin = `http://127.0.0.1:${await freePort()}`;
  const makeKey = async (...flags) => {
    const words = ['keys', 'create', '--database', database, ...flags];
    const made = await promisify(execFile)(binary, words, { env });
    return made.stdout.trim();
  };
  const key = await makeKey('--name', 'page');
  const sessionKey = await makeKey('--name', 'sessions', '--require-session');
  const listen = origin.replace('http://', '');
  const server = spawn(
    binary,
    ['serve', '--listen', listen, '--database', database, '--log-level', 'warn', ...settings],
    { env, stdio: ['ignore', 'ignore', 'inherit'] },
  );
  const gone = new Promise((resolve) => server.once('exit', resolve));
  const stop = async () => {
    server.kill();
    await gone;
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await ready(origin, gone);
  } catch (error) {
    await stop();
    throw error;
  }
  return { origin, key, sessionKey, stop };
}

async function ready(origin, gone) {
  let exited = false;
  gone.then(() => {
    exited = true;
  });
  const deadline = Date.now() + START_MS;
  while (Date.now() < deadline && !exited) {
    const answer = await fetch(`${origin}/readyz`).catch(() => null);
    if (answer?.ok) return;
    await new Promise((done) => {
      setTimeout(done, 100);
    });
  }
  throw new Error(exited ? 'the server stopped at its start' : `the server was not ready in ${START_MS} ms`);
}
