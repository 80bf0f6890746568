/**
 * Real faces through the real page and the real models. LIVECHECK_DATA names the folder with
 * pad_dev.tar; without it these tests are skipped. No picture is kept.
 */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { ERRORS } from '../errors.js';
import { openBrowser } from './browser.mjs';
import { startService } from './service.mjs';

/** Two people at a webcam of 640 × 480. */
const PEOPLE = ['nuaa/live', 'replay-attack/live'];

/** Not every face of these old webcams is found; how often one is belongs to other tests. */
const TRIES = 12;

const archive = process.env.LIVECHECK_DATA && join(process.env.LIVECHECK_DATA, 'pad_dev.tar');
const there = archive
  ? await access(archive).then(
      () => true,
      () => false,
    )
  : false;

describe('real faces', { skip: there ? false : 'LIVECHECK_DATA names no folder with pad_dev.tar' }, () => {
  let service;
  let browser;
  const photos = [];

  async function isJudged(photo) {
    const body = new FormData();
    body.append('image', new Blob([photo]), 'photo.jpg');
    const headers = { 'x-api-key': service.key };
    const answer = await fetch(`${service.origin}/liveness/`, { method: 'POST', body, headers });
    return answer.ok;
  }

  before(async () => {
    const run = promisify(execFile);
    const { stdout } = await run('tar', ['-tf', archive], { maxBuffer: 1 << 24 });
    const names = stdout.split('\n').filter((name) => /\.(jpg|png)$/.test(name));
    // Webcams of 2005: faces of about 60 pixels in pictures of 320 × 240.
    service = await startService(['--min-image-side', '200', '--min-face-side', '40']);
    for (const folder of PEOPLE) {
      const ofFolder = names.filter((entry) => entry.includes(folder)).sort();
      for (const name of ofFolder.slice(0, TRIES)) {
        const file = await run('tar', ['-xOf', archive, name], { maxBuffer: 1 << 24, encoding: 'buffer' });
        if (await isJudged(file.stdout)) {
          photos.push({ name: 'photo.jpg', mimeType: 'image/jpeg', buffer: file.stdout });
          break;
        }
      }
    }
    assert.equal(photos.length, PEOPLE.length, 'no photo that the service judges');
    browser = await openBrowser();
    await browser.page.goto(`${service.origin}/demo#key=${service.key}`);
  });
  after(async () => {
    await browser?.close();
    await service?.stop();
  });

  const send = async (file) => {
    await browser.page.locator('#answer').evaluate((old) => old.replaceChildren());
    await browser.page.locator('input[type=file]').setInputFiles(file);
    await browser.page.locator('#answer h2').waitFor();
  };

  test('one face: a verdict, the box over the face', async () => {
    for (const photo of photos) {
      await send(photo);
      const { page } = browser;
      const shown = await page.locator('#answer h2').textContent();
      assert.ok(['A live person', 'Not accepted as a live person'].includes(shown), shown);
      const score = page.getByRole('meter', { name: 'Liveness score' });
      const value = Number(await score.getAttribute('aria-valuenow'));
      assert.ok(value >= 0 && value <= 1);
      const inside = await page.evaluate(() => {
        const capture = document.querySelector('livecheck-capture');
        const box = capture.querySelector('.overlay rect').getBoundingClientRect();
        const image = capture.shadowRoot.querySelector('img').getBoundingClientRect();
        const points = [...capture.querySelectorAll('.overlay circle')].map((point) => point.getBoundingClientRect());
        return {
          box: box.left >= image.left - 9 && box.right <= image.right + 9,
          points: points.map((point) => point.left > box.left && point.right < box.right),
        };
      });
      assert.deepEqual(inside, { box: true, points: Array(5).fill(true) });
    }
  });

  test('two faces side by side: 051, with what to do', async () => {
    const { page } = browser;
    const both = await page.evaluate(async (files) => {
      const images = await Promise.all(
        files.map(async (text) => createImageBitmap(new Blob([Uint8Array.from(atob(text), (c) => c.charCodeAt(0))]))),
      );
      const height = Math.max(...images.map((image) => image.height));
      const canvas = new OffscreenCanvas(images.length * 480, height);
      images.forEach((image, i) => {
        const width = (image.width * height) / image.height;
        // The middle of each picture.
        canvas.getContext('2d').drawImage(image, i * 480 + (480 - width) / 2, 0, width, height);
      });
      const blob = await canvas.convertToBlob({ type: 'image/jpeg', quality: 0.95 });
      let text = '';
      for (const byte of new Uint8Array(await blob.arrayBuffer())) text += String.fromCharCode(byte);
      return btoa(text);
    }, photos.map(({ buffer }) => buffer.toString('base64')));
    await send({ name: 'two.jpg', mimeType: 'image/jpeg', buffer: Buffer.from(both, 'base64') });
    assert.equal(await page.locator('#answer h2').textContent(), ERRORS['051'].title);
    assert.match(await page.locator('#answer').innerText(), /Detail: 2 faces/);
  });

  test('nothing went wrong in the page', () => {
    assert.deepEqual(browser.problems, []);
  });
});
