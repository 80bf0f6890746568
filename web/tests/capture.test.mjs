/** The element alone, on a page of another site: hints, files, failures. */

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { openBrowser } from './browser.mjs';
import * as portrait from './portrait.mjs';

/** A site that took over one file, under the strictest policy that the element works with. */
let site;
before(async () => {
  const module = await readFile(new URL('../livecheck-capture.js', import.meta.url));
  const pages = {
    '/': ['text/html', '<!doctype html><title>Site</title><script type="module" src="site.js"></script><livecheck-capture></livecheck-capture>'],
    '/site.js': [
      'text/javascript',
      `import './livecheck-capture.js';
       window.seen = [];
       for (const name of ['photo', 'hint', 'error', 'state']) {
         addEventListener('livecheck-' + name, (event) => window.seen.push([name, event.detail]));
       }`,
    ],
    '/livecheck-capture.js': ['text/javascript', module],
  };
  const server = createServer((request, response) => {
    const [type, body] = pages[request.url] ?? ['text/plain', ''];
    response.writeHead(body ? 200 : 404, {
      'content-type': type,
      'content-security-policy':
        "default-src 'none'; script-src 'self'; img-src blob:; require-trusted-types-for 'script'",
    });
    response.end(body);
  });
  await new Promise((listening) => {
    server.listen(0, '127.0.0.1', listening);
  });
  site = { origin: `http://127.0.0.1:${server.address().port}/`, close: () => server.close() };
});
after(() => site?.close());

/** Opens the site; `pictures`: what its camera shows. */
async function visit({ pictures, ...options } = {}) {
  let camera;
  if (pictures) {
    const drawing = await openBrowser();
    camera = await portrait.video(drawing.page.context(), pictures);
    await drawing.close();
  }
  const browser = await openBrowser({ ...options, video: camera?.path });
  const { page } = browser;
  await page.goto(site.origin);
  await page.waitForFunction(() => window.seen);
  const details = (name) =>
    page.evaluate((wanted) => window.seen.filter(([seen]) => seen === wanted).map(([, detail]) => detail), name);
  const close = async () => {
    await browser.close();
    await camera?.remove();
    assert.deepEqual(browser.problems, [], 'the page logged errors');
  };
  return { page, details, close };
}

const call = (page, method, ...values) =>
  page.evaluate(([name, given]) => document.querySelector('livecheck-capture')[name](...given), [method, values]);

describe('hints', () => {
  const one = (scale, x = 0.5) => ({ people: [{ x, y: 0.5, scale }], width: 640, height: 480 });
  const cases = [
    ['ready', 'a face in the oval', [one(1.4)]],
    ['dark', 'little light', [{ ...one(1.4), light: 0.22 }]],
    ['face', 'nobody', [{ ...one(1), people: [] }]],
    ['closer', 'a small face', [one(0.7)]],
    ['several', 'two faces', [{ ...one(1), people: [{ x: 0.28, y: 0.5, scale: 0.9 }, { x: 0.72, y: 0.5, scale: 0.9 }] }]],
    ['still', 'a face that moves', [one(1.4, 0.45), one(1.4, 0.47), one(1.4, 0.5), one(1.4, 0.53), one(1.4, 0.55), one(1.4, 0.52)]],
  ];
  for (const [hint, what, pictures] of cases) {
    test(`${what}: ${hint}`, async () => {
      const { page, details, close } = await visit({ pictures });
      await call(page, 'start');
      await page.locator(`livecheck-capture[data-hint=${hint}]`).waitFor();
      const [seen] = (await details('hint')).filter((detail) => detail.hint === hint);
      assert.equal(await page.getByRole('status').textContent(), seen.text);
      assert.equal(typeof seen.measures.brightness, 'number');
      await close();
    });
  }

  test('are not measured when they are off', async () => {
    const { page, details, close } = await visit({ pictures: [one(0.7)] });
    await page.evaluate(() => document.querySelector('livecheck-capture').setAttribute('hints', 'off'));
    await call(page, 'start');
    await page.waitForTimeout(1500);
    assert.deepEqual(await details('hint'), []);
    await close();
  });

  test('about faces are not given where colour says nothing', async () => {
    const { page, close } = await visit();
    const hints = await page.evaluate(async () => {
      const { measure, hintFor } = await import('./livecheck-capture.js');
      const paint = (width, height, colour) => {
        const image = new ImageData(width, height);
        // A pattern, so that it is not blurred.
        for (let i = 0; i < width * height; i += 1) {
          const light = (i % width) % 2 ? 20 : -20;
          image.data.set([...colour.map((value) => value + light), 255], 4 * i);
        }
        return image;
      };
      const grey = [150, 150, 150];
      const wood = [205, 150, 120];
      return [grey, wood].map((colour) => {
        const look = measure(paint(160, 120, colour), paint(96, 128, colour), null);
        return [look.skin, look.areas, hintFor(look)];
      });
    });
    assert.deepEqual(hints, [
      [null, null, 'aim'],
      [null, null, 'aim'],
    ]);
    await close();
  });
});

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
