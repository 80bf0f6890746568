/** The documentation page, `/docs`: a photo chosen there gets a verdict. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { openBrowser, screenshot } from './browser.mjs';
import { startService } from './service.mjs';

const SAMPLE = fileURLToPath(new URL('../sample.jpg', import.meta.url));

let service;
let browser;
before(async () => {
  service = await startService();
  browser = await openBrowser();
});
after(async () => {
  await browser?.close();
  await service?.stop();
});

test('choosing a file and pressing Execute is enough', async () => {
  const { page } = browser;
  await page.goto(`${service.origin}/docs/`);
  await page.locator('.btn.authorize').click();
  await page.locator('.auth-container input').fill(service.key);
  await page.locator('.auth-container button[type=submit]').click();
  await page.locator('.auth-container .btn-done').click();

  const operation = page.locator('#operations-liveness-checkLiveness');
  await operation.locator('.opblock-summary-control').click();
  const kind = operation.locator('.opblock-section-request-body select.content-type');
  assert.equal(await kind.inputValue(), 'multipart/form-data');
  await operation.locator('input[type=file]').setInputFiles(SAMPLE);
  const answered = page.waitForResponse((answer) => answer.url().endsWith('/liveness/'));
  await operation.locator('.btn.execute').click();
  const answer = await answered;
  const body = await answer.json();
  assert.equal(answer.status(), 200, JSON.stringify(body));
  assert.equal(body.success, true);
  await operation.locator('.live-responses-table').waitFor();
  await screenshot(page, 'docs');
  assert.deepEqual(browser.problems, []);
});

test('the root leads to it', async () => {
  const { page } = browser;
  await page.goto(service.origin);
  await page.getByRole('link', { name: 'API documentation' }).click();
  await page.locator('#operations-liveness-checkLiveness').waitFor();
  assert.deepEqual(browser.problems, []);
});
