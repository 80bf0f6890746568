/** The element alone, on a page of another site: files, failures, attributes. */

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { virtualCamera } from '../cameras.js';
import { LANGUAGES, TEXTS } from '../texts/index.js';
import { openBrowser } from './browser.mjs';
import { film } from './clips.mjs';
import * as portrait from './portrait.mjs';
import { startSite } from './site.mjs';

/** A site of its own, under the strictest policy that the element works with. */
let site;
before(async () => {
  site = await startSite();
});
after(() => site?.close());

/** Opens the site. */
async function visit(options = {}) {
  const browser = await openBrowser(options);
  const { page } = browser;
  await page.goto(site.origin);
  await page.waitForFunction(() => window.seen);
  const details = (name) =>
    page.evaluate((wanted) => window.seen.filter(([seen]) => seen === wanted).map(([, detail]) => detail), name);
  const close = async () => {
    await browser.close();
    assert.deepEqual(browser.problems, [], 'the page logged errors');
  };
  return { page, details, close };
}

const call = (page, method, ...values) =>
  page.evaluate(([name, given]) => document.querySelector('livecheck-capture')[name](...given), [method, values]);

/** A Windows bitmap of noise. */
function bmp(width, height) {
  const pixels = Buffer.alloc(width * height * 3, 'noise that hardly compresses');
  for (let i = 0, state = 1; i < pixels.length; i += 1) {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    pixels[i] = state / 8_388_608;
  }
  const header = Buffer.alloc(54);
  header.write('BM');
  header.writeUInt32LE(54 + pixels.length, 2);
  header.writeUInt32LE(54, 10);
  header.writeUInt32LE(40, 14);
  header.writeInt32LE(width, 18);
  header.writeInt32LE(height, 22);
  header.writeUInt16LE(1, 26);
  header.writeUInt16LE(24, 28);
  return Buffer.concat([header, pixels]);
}

/** The JPEG with an EXIF block that says: turn me a quarter to the right. */
function turned(jpeg) {
  const exif = Buffer.from('Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0', 'latin1');
  const segment = Buffer.from([0xff, 0xe1, 0, exif.length + 2]);
  return Buffer.concat([jpeg.subarray(0, 2), segment, exif, jpeg.subarray(2)]);
}

describe('files', () => {
  let open;
  before(async () => {
    open = await visit();
  });
  after(() => open?.close());

  /** What the element makes of a file, and the bytes it would send. */
  async function given(name, buffer, type = '') {
    const { page } = open;
    await page.evaluate(() => {
      window.seen.length = 0;
    });
    await page.locator('input[type=file]').setInputFiles({ name, mimeType: type, buffer });
    return page
      .waitForFunction(() => window.seen.find(([kind]) => kind === 'photo' || kind === 'error'))
      .then((found) =>
        found.evaluate(async ([kind, { blob, ...detail }]) => ({
          kind,
          ...detail,
          type: blob?.type,
          size: blob?.size,
          start: blob && [...new Uint8Array(await blob.slice(0, 400).arrayBuffer())],
        })),
      );
  }

  for (const type of ['image/jpeg', 'image/png', 'image/webp']) {
    test(`${type} passes untouched, whatever its name says`, async () => {
      const { buffer } = await portrait.file(open.page, { width: 640, height: 480 }, type);
      const photo = await given('photo.bin', buffer);
      assert.equal(photo.kind, 'photo');
      assert.deepEqual([photo.type, photo.size, photo.converted], [type, buffer.length, false]);
      assert.deepEqual([photo.width, photo.height, photo.source], [640, 480, 'file']);
      assert.deepEqual(photo.start, [...buffer.subarray(0, 400)]);
    });
  }

  test('a turned JPEG passes untouched, its size is the upright one', async () => {
    const { buffer } = await portrait.file(open.page, { width: 640, height: 480 });
    const photo = await given('turned.jpg', turned(buffer), 'image/jpeg');
    assert.deepEqual([photo.width, photo.height, photo.converted], [480, 640, false]);
  });

  test('another format becomes a JPEG of the same size', async () => {
    const photo = await given('photo.bmp', bmp(500, 400), 'image/bmp');
    assert.deepEqual([photo.type, photo.converted], ['image/jpeg', true]);
    assert.deepEqual([photo.width, photo.height], [500, 400]);
    assert.deepEqual(photo.start.slice(0, 3), [0xff, 0xd8, 0xff]);
  });

  test('too many bytes: smaller, and still a picture', async () => {
    await open.page.evaluate(() => document.querySelector('livecheck-capture').setAttribute('max-bytes', '60000'));
    const photo = await given('noise.bmp', bmp(500, 400), 'image/bmp');
    assert.ok(photo.size <= 60_000, `${photo.size} bytes`);
    assert.ok(photo.width >= 100 && Math.abs(photo.width / photo.height - 1.25) < 0.02);
    await open.page.evaluate(() => document.querySelector('livecheck-capture').removeAttribute('max-bytes'));
  });

  test('too many pixels: drawn smaller, as much as a canvas holds', async () => {
    const { buffer } = await portrait.file(open.page, { width: 640, height: 480 }, 'image/png');
    const sizes = await open.page.evaluate(async (text) => {
      const { preparePhoto } = await import('./livecheck-capture.js');
      const file = new Blob([Uint8Array.from(atob(text), (char) => char.charCodeAt(0))]);
      const made = async (limits) => {
        const { width, height, converted } = await preparePhoto(file, limits);
        return [width, height, converted];
      };
      return [
        await made({ maxPixels: 640 * 480, canvasPixels: 100 }),
        await made({ maxPixels: 640 * 480 - 1, canvasPixels: 320 * 240 }),
        await made({ maxPixels: 160 * 120, canvasPixels: 320 * 240 }),
      ];
    }, buffer.toString('base64'));
    assert.deepEqual(sizes, [
      [640, 480, false],
      [320, 240, true],
      [160, 120, true],
    ]);
  });

  test('what the browser cannot open is refused with a text', async () => {
    for (const [name, buffer] of [
      ['text.jpg', Buffer.from('no picture')],
      ['empty.jpg', Buffer.alloc(0)],
      ['cut.jpg', Buffer.from([0xff, 0xd8, 0xff, 0xe0])],
      ['photo.heic', Buffer.from('\0\0\0\x18ftypheic\0\0\0\0', 'latin1')],
    ]) {
      const refused = await given(name, buffer);
      assert.deepEqual([refused.kind, refused.reason], ['error', 'unreadable'], name);
      assert.equal(await open.page.getByRole('alert').textContent(), refused.text);
    }
  });
});

describe('camera', () => {
  test('that is not there', async () => {
    const { page, details, close } = await visit({ camera: false });
    await call(page, 'start');
    assert.equal((await details('error'))[0].reason, 'camera-missing');
    await close();
  });

  test('each refusal of the browser has its text', async () => {
    const { page, details, close } = await visit();
    for (const [name, reason] of [
      ['NotAllowedError', 'camera-denied'],
      ['NotReadableError', 'camera-busy'],
      ['OverconstrainedError', 'camera-missing'],
      ['TypeError', 'camera-unsupported'],
    ]) {
      await page.evaluate((error) => {
        window.seen.length = 0;
        navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', error));
      }, name);
      await call(page, 'start');
      assert.equal((await details('error'))[0].reason, reason);
      assert.ok(await page.getByRole('button', { name: 'Start the camera' }).isEnabled());
    }
    await close();
  });

  test('that is unplugged while it is live', async () => {
    const { page, details, close } = await visit();
    await call(page, 'start');
    await page.evaluate(() => {
      const video = document.querySelector('livecheck-capture').shadowRoot.querySelector('video');
      video.srcObject.getVideoTracks()[0].dispatchEvent(new Event('ended'));
    });
    assert.equal((await details('error'))[0].reason, 'camera-lost');
    await close();
  });

  test('stops when the element leaves the page, also while it is being asked for', async () => {
    const { page, close } = await visit();
    const states = await page.evaluate(async () => {
      const tracks = [];
      const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
      navigator.mediaDevices.getUserMedia = async (wish) => {
        const stream = await ask(wish);
        tracks.push(...stream.getTracks());
        return stream;
      };
      const element = document.querySelector('livecheck-capture');
      await element.start();
      element.remove();
      document.body.append(element);
      const starting = element.start();
      element.remove();
      await starting;
      return tracks.map((track) => track.readyState);
    });
    assert.deepEqual(states, ['ended', 'ended']);
    await close();
  });

  test('does not start while the element is disabled', async () => {
    const { page, close } = await visit();
    const states = await page.evaluate(async () => {
      const element = document.querySelector('livecheck-capture');
      element.disabled = true;
      await element.start();
      const before = element.state;
      element.disabled = false;
      await element.start();
      return [before, element.state];
    });
    assert.deepEqual(states, ['idle', 'live']);
    await close();
  });

  test('gives a still photo when that is larger than the video, and the frame otherwise', async () => {
    const { page, close } = await visit();
    const sizes = await page.evaluate(async () => {
      const still = (width, height) => {
        const canvas = new OffscreenCanvas(width, height);
        canvas.getContext('2d').fillRect(0, 0, width, height);
        return canvas.convertToBlob({ type: 'image/jpeg' });
      };
      const element = document.querySelector('livecheck-capture');
      element.setAttribute('auto', 'off');
      const taken = async (takePhoto) => {
        window.ImageCapture = class {
          getPhotoCapabilities = async () => ({ imageWidth: { max: 3000 }, imageHeight: { max: 2000 } });
          takePhoto = takePhoto;
        };
        await element.start();
        const { videoWidth, videoHeight } = element.shadowRoot.querySelector('video');
        await element.capture();
        const { width, height, source } = window.seen.findLast(([kind]) => kind === 'photo')[1];
        return [width, height, source, width === videoWidth && height === videoHeight];
      };
      return [
        await taken(({ imageWidth, imageHeight }) => still(imageWidth, imageHeight)),
        await taken(() => still(160, 120)),
        await taken(() => Promise.reject(new Error('no still photos'))),
      ];
    });
    assert.deepEqual(sizes[0], [3000, 2000, 'camera', false]);
    assert.equal(sizes[1][3], true);
    assert.equal(sizes[2][3], true);
    await close();
  });
});

test('texts can be replaced, some or all', async () => {
  const { page, close } = await visit();
  await page.evaluate(() => {
    document.querySelector('livecheck-capture').texts = { start: 'Kamera starten' };
  });
  await page.getByRole('button', { name: 'Kamera starten' }).waitFor();
  await page.getByRole('button', { name: 'Upload a photo' }).waitFor();
  await close();
});

describe('attributes', () => {
  const set = (page, name, value) =>
    page.evaluate(
      ([key, text]) => document.querySelector('livecheck-capture').setAttribute(key, text),
      [name, value],
    );

  test('lang: the words of each language, right to left in Arabic', async () => {
    const { page, close } = await visit();
    for (const [language, load] of Object.entries(LANGUAGES)) {
      const texts = await load();
      await set(page, 'lang', language);
      await page.getByRole('button', { name: texts.start, exact: true }).waitFor();
      assert.equal(await page.getByRole('status').textContent(), texts.idle);
      const direction = await page
        .getByRole('button', { name: texts.start, exact: true })
        .evaluate((button) => getComputedStyle(button).direction);
      assert.equal(direction, texts.dir);
    }
    await close();
  });

  test('lang: without it, the language of the page around', async () => {
    const { page, close } = await visit();
    await page.evaluate(() => {
      document.documentElement.lang = 'fr-CA';
      document.body.replaceChildren(document.createElement('livecheck-capture'));
    });
    await page.getByRole('button', { name: 'Démarrer la caméra' }).waitFor();
    await close();
  });

  test('upload="off": no button, no dropped files, no mention', async () => {
    const { page, close } = await visit({ camera: false });
    await set(page, 'upload', 'off');
    assert.equal(await page.getByRole('button', { name: 'Upload a photo' }).count(), 0);
    assert.doesNotMatch(await page.getByRole('status').textContent(), /upload/);
    await call(page, 'start');
    assert.doesNotMatch(await page.getByRole('alert').textContent(), /upload/);
    await close();
  });

  test('facing: asked of the browser; the front camera is shown as in a mirror', async () => {
    const { page, close } = await visit();
    const asked = await page.evaluate(async () => {
      const wishes = [];
      const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
      navigator.mediaDevices.getUserMedia = (wish) => {
        wishes.push(wish.video.facingMode);
        return ask({ video: true });
      };
      const element = document.querySelector('livecheck-capture');
      const video = element.shadowRoot.querySelector('video');
      const seen = [];
      for (const facing of ['user', 'environment']) {
        element.setAttribute('facing', facing);
        await element.start();
        seen.push([wishes.at(-1), getComputedStyle(video).transform]);
        element.reset();
      }
      return seen;
    });
    assert.deepEqual(asked, [
      ['user', 'matrix(-1, 0, 0, 1, 0, 0)'],
      ['environment', 'none'],
    ]);
    await close();
  });

  test('hints="off": nothing is looked at, nothing is loaded', async () => {
    const { page, details, close } = await visit();
    await set(page, 'hints', 'off');
    const before = site.requests.filter((path) => path.endsWith('.wasm')).length;
    await call(page, 'start');
    await page.waitForTimeout(800);
    assert.deepEqual(await details('hint'), []);
    assert.equal(site.requests.filter((path) => path.endsWith('.wasm')).length, before);
    await close();
  });

  test('colours come from custom properties', async () => {
    const { page, close } = await visit();
    const colour = await page.evaluate(() => {
      const element = document.querySelector('livecheck-capture');
      element.style.setProperty('--livecheck-accent', 'rgb(1, 2, 3)');
      return getComputedStyle(element.shadowRoot.querySelector('.primary')).backgroundColor;
    });
    assert.equal(colour, 'rgb(1, 2, 3)');
    await close();
  });
});

describe('virtual cameras', () => {
  test('are told from their names', () => {
    for (const label of [
      'OBS Virtual Camera',
      'OBS-Camera',
      'ManyCam Virtual Webcam',
      'Snap Camera',
      'XSplit VCam',
      'mmhmm Camera',
      'Dummy video device (0x0000)',
      'v4l2loopback',
      'fake_device_0',
    ]) {
      assert.equal(virtualCamera(label), 'likely', label);
    }
    for (const label of [
      'FaceTime HD Camera (Built-in)',
      'Integrated Webcam (0bda:5538)',
      'camera2 1, facing front',
      'Logitech BRIO (046d:085e)',
      'HP Wide Vision HD Camera',
      'Front Camera',
      '',
    ]) {
      assert.equal(virtualCamera(label), 'unknown', label);
    }
  });

  test('are named with the photo', async () => {
    const { page, details, close } = await visit();
    await page.evaluate(async () => {
      const element = document.querySelector('livecheck-capture');
      await element.start();
      const [track] = element.shadowRoot.querySelector('video').srcObject.getVideoTracks();
      Object.defineProperty(track, 'label', { value: 'OBS Virtual Camera' });
      await element.capture();
    });
    const [photo] = await details('photo');
    assert.deepEqual([photo.virtual, photo.automatic, photo.source], ['likely', false, 'camera']);
    await close();
  });
});

test('auto="off": the photo waits for the button', async () => {
  const drawing = await openBrowser();
  const clip = await film(drawing.page, Array(10).fill({ good: true }));
  await drawing.close();
  const { page, details, close } = await visit({ video: clip.path });
  await page.evaluate(() => document.querySelector('livecheck-capture').setAttribute('auto', 'off'));
  await call(page, 'start');
  await page.locator('livecheck-capture[data-hint=ready]').waitFor();
  assert.equal(await page.getByRole('status').textContent(), TEXTS['hint-ready-manual']);
  await page.waitForTimeout(1500);
  assert.deepEqual(await details('photo'), []);
  await page.getByRole('button', { name: 'Take the photo' }).click();
  await page.waitForFunction(() => window.seen.some(([kind]) => kind === 'photo'));
  await close();
  await clip.remove();
});

test('a screen reader is told each hint once', async () => {
  const drawing = await openBrowser();
  const clip = await film(drawing.page, Array(10).fill({ people: [{ size: 0.2 }] }));
  await drawing.close();
  const { page, close } = await visit({ video: clip.path });
  await page.evaluate(() => {
    window.told = [];
    const status = document.querySelector('livecheck-capture').shadowRoot.querySelector('[role=status]');
    new MutationObserver(() => window.told.push(status.textContent)).observe(status, {
      childList: true,
      characterData: true,
      subtree: true,
    });
  });
  await call(page, 'start');
  await page.locator('livecheck-capture[data-hint=face_small]').waitFor();
  await page.waitForTimeout(2500);
  const told = await page.evaluate(() => window.told);
  assert.equal(told.filter((text) => text === TEXTS['hint-face_small']).length, 1, `${told}`);
  await close();
  await clip.remove();
});
