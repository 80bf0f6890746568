/** Starts Debian's Chromium, headless, with a camera that plays a file or Chromium's own pattern. */

import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const PROGRAMS = [process.env.LIVECHECK_CHROMIUM, '/usr/bin/chromium', '/usr/bin/google-chrome'];

/**
 * @param {{video?: string, camera?: boolean, viewport?: {width: number, height: number},
 *   dark?: boolean, phone?: boolean}} options  `video`: a .y4m file that the camera plays;
 *   `camera: false`: a machine without a camera
 * @returns {Promise<{page: import('playwright-core').Page, problems: string[], close: () => Promise<void>}>}
 *   `problems` gathers what the page logged as errors, such as violations of its policy.
 */
export async function openBrowser(options = {}) {
  const executablePath = PROGRAMS.find((path) => path && existsSync(path));
  if (!executablePath) throw new Error('install Chromium, or set LIVECHECK_CHROMIUM to its path');
  const profile = await mkdtemp(join(tmpdir(), 'livecheck-chromium-'));
  const camera =
    options.camera === false
      ? []
      : [
          '--use-fake-ui-for-media-stream',
          '--use-fake-device-for-media-stream',
          ...(options.video ? [`--use-file-for-fake-video-capture=${options.video}`] : []),
        ];
  const context = await chromium.launchPersistentContext(profile, {
    executablePath,
    headless: true,
    viewport: options.viewport ?? { width: 1180, height: 900 },
    deviceScaleFactor: options.phone ? 2 : 1,
    hasTouch: Boolean(options.phone),
    isMobile: Boolean(options.phone),
    colorScheme: options.dark ? 'dark' : 'light',
    reducedMotion: 'reduce',
    serviceWorkers: 'block',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      ...camera,
    ],
  });
  const page = context.pages()[0] ?? (await context.newPage());
  page.setDefaultTimeout(30_000);
  const problems = [];
  page.on('pageerror', (error) => problems.push(String(error)));
  page.on('console', (message) => {
    // The browser logs every answer of 400 and above; the tests ask for those themselves.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) {
      problems.push(message.text());
    }
  });
  const close = async () => {
    await context.close();
    await rm(profile, { recursive: true, force: true });
  };
  return { page, problems, close };
}

/** Saves a screenshot when LIVECHECK_SCREENSHOTS names a folder. */
export async function screenshot(page, name) {
  const folder = process.env.LIVECHECK_SCREENSHOTS;
  if (folder) await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true });
}
