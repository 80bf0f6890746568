/**
 * Twenty clips as the camera: the photo is taken by itself soon after everything fits, and never while
 * something is wrong. Prints the table of clips.
 */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { openBrowser } from './browser.mjs';
import { CLIPS, MARK, RATE, film } from './clips.mjs';
import { startSite } from './site.mjs';

/** How soon after the face fits the photo is taken, seconds. */
const SOON = 1.5;
/** Looks a second from which on a machine is fast enough to be held to that. */
const FAST = 10;

let site;
let drawing;
before(async () => {
  site = await startSite();
  drawing = await openBrowser();
});
after(async () => {
  await drawing?.close();
  site?.close();
});

/** Plays a clip to the element until the photo is taken or the clip is over. */
async function play(pictures, size) {
  const clip = await film(drawing.page, pictures, size);
  const { page, problems, close } = await openBrowser({ video: clip.path });
  try {
    await page.goto(site.origin);
    await page.waitForFunction(() => window.seen);
    // Fetched before the camera starts, as in a page that is visited again.
    await page.evaluate(async () => (await import('./detector.js')).loadDetector());
    await page.evaluate(
      ([seconds, mark]) =>
        new Promise((done) => {
          const element = document.querySelector('livecheck-capture');
          const { video } = { video: element.shadowRoot.querySelector('video') };
          const context = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
          addEventListener('livecheck-photo', done, { once: true });
          element.start().then(() => {
            setTimeout(done, 1000 * seconds);
            const poll = setInterval(() => {
              if (element.state !== 'live') return;
              const middle = video.videoHeight - mark / 2;
              context.drawImage(video, mark / 2 - 2, middle - 2, 4, 4, 0, 0, 1, 1);
              if (context.getImageData(0, 0, 1, 1).data[0] < 128) return;
              window.fits = performance.now();
              clearInterval(poll);
            }, 20);
          });
        }),
      [pictures.length / RATE, MARK],
    );
    const outcome = await page.evaluate(async () => {
      const of = (name) => window.seen.filter(([seen]) => seen === name);
      const [photo] = of('photo');
      return {
        hints: of('hint').map(([, { hint }]) => hint),
        taken: photo && {
          after: (photo[2] - (window.fits ?? 0)) / 1000,
          fits: window.fits !== undefined,
          ...photo[1],
          blob: null,
          type: photo[1].blob.type,
          bytes: [...new Uint8Array(await photo[1].blob.arrayBuffer())],
        },
        rate: document.querySelector('livecheck-capture').looksPerSecond,
      };
    });
    assert.deepEqual(problems, []);
    return outcome;
  } finally {
    await close();
    await clip.remove();
  }
}

/** The quality of a JPEG after its first quantisation table, as the IJG's formula defines it. */
function qualityOf(bytes) {
  const at = bytes.findIndex((byte, i) => byte === 0xff && bytes[i + 1] === 0xdb);
  // The standard table has 16 at its start.
  const scale = (bytes[at + 5] * 100) / 16;
  return scale > 100 ? 5000 / scale : (200 - scale) / 2;
}

describe('automatic photo', () => {
  for (const { name, taken, hint, pictures } of CLIPS) {
    test(`${name}: ${taken ? 'taken' : 'never taken'}`, async (context) => {
      const outcome = await play(pictures);
      context.diagnostic(
        `| ${name} | ${outcome.hints.join(', ')} | ${outcome.taken ? `taken after ${outcome.taken.after.toFixed(2)} s` : 'not taken'} | ${outcome.rate.toFixed(1)} looks/s |`,
      );
      if (hint) assert.ok(outcome.hints.includes(hint), `${hint} is not among ${outcome.hints}`);
      if (!taken) {
        assert.equal(outcome.taken, undefined);
        assert.ok(!outcome.hints.includes('ready'), `${outcome.hints}`);
        return;
      }
      assert.ok(outcome.taken, 'no photo was taken');
      assert.ok(outcome.taken.fits, 'the photo was taken before everything fitted');
      const { width, height, automatic, source, type, bytes } = outcome.taken;
      assert.deepEqual([width, height, automatic, source, type], [640, 480, true, 'camera', 'image/jpeg']);
      assert.ok(qualityOf(bytes) >= 92, `quality ${qualityOf(bytes)}`);
      assert.equal(outcome.hints.at(-1), 'ready', 'taken while a hint was shown');
      if (outcome.rate < FAST) {
        context.diagnostic(`!!! LEFT OUT: the time, this machine makes ${outcome.rate.toFixed(1)} looks a second`);
      } else {
        assert.ok(outcome.taken.after <= SOON, `taken ${outcome.taken.after} s after everything fitted`);
      }
    });
  }

  test('a phone held upright: the whole picture, upright', async () => {
    const { taken } = await play(Array(40).fill({ good: true, people: [{ size: 0.36 }] }), { width: 480, height: 640 });
    assert.deepEqual([taken?.width, taken?.height], [480, 640]);
  });
});

test('a face at the limit does not make hints flicker', async () => {
  const near = (size) => ({ people: [{ size }] });
  // The limit of face_small lies between the two, the face is a little larger or smaller every 200 ms.
  const pictures = Array.from({ length: 40 }, (_, i) => near(i % 4 < 2 ? 0.283 : 0.295));
  const { hints } = await play(pictures);
  assert.ok(hints.length <= 2, `${hints}`);
});
