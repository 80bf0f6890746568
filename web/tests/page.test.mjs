/** The demo page, against the real server; verdicts and rare errors are answered by the test. */

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import axe from 'axe-core';
import { ERRORS, NO_ANSWER } from '../errors.js';
import { CODES, failure, verdict } from './answers.mjs';
import { openBrowser, screenshot } from './browser.mjs';
import { film } from './clips.mjs';
import * as portrait from './portrait.mjs';
import { startService } from './service.mjs';

/** What a phone held upright sees. */
const PORTRAIT = { width: 720, height: 960, people: [{ x: 0.5, y: 0.5, scale: 2.3 }] };
/** The drawn portrait before the camera: so far away that a hint is shown, then where it fits. */
const COMES_CLOSER = [
  ...Array(45).fill({ unmarked: true, people: [{ size: 0.22 }] }),
  ...Array(60).fill({ unmarked: true, people: [{ size: 0.46, y: 0.52 }] }),
];
const UPRIGHT = [
  ...Array(45).fill({ unmarked: true, people: [{ size: 0.17 }] }),
  ...Array(60).fill({ unmarked: true, people: [{ size: 0.34 }] }),
];
/** The landmarks of that face for the answers of the test. */
const SAMPLE_FACE = { scale: 1.72 };
const PHONE = { viewport: { width: 360, height: 740 }, phone: true };

let service;
before(async () => {
  service = await startService();
});
after(() => service?.stop());

/** Opens the page in a browser of its own; the tests of a `describe` share it. */
function browser(options = {}) {
  const opened = {};
  let camera;
  before(async () => {
    if (options.clip) {
      const drawing = await openBrowser();
      camera = await film(drawing.page, options.clip, options.size);
      await drawing.close();
    }
    Object.assign(opened, await openBrowser({ ...options, video: camera?.path }));
  });
  beforeEach(async () => {
    opened.problems.length = 0;
    await opened.page.goto('about:blank');
    await opened.page.goto(`${service.origin}/demo#key=${service.key}`);
  });
  afterEach(async () => {
    await opened.page.unrouteAll({ behavior: 'ignoreErrors' });
    assert.deepEqual(opened.problems, [], 'the page logged errors');
  });
  after(async () => {
    await opened.close?.();
    await camera?.remove();
  });
  return opened;
}

/** Answers the page's checks; returns the requests, newest last. */
async function answer(page, ...answers) {
  const requests = [];
  await page.route('**/liveness/**', async (route) => {
    const next = answers[Math.min(requests.length, answers.length - 1)];
    requests.push(route.request());
    await (next === 'abort' ? route.abort() : route.fulfill(next));
  });
  return requests;
}

/** Uploads a photo; what `title` waits for afterwards is the answer to this one. */
const upload = async (page, file) => {
  const chosen = file ?? (await portrait.file(page));
  await page.locator('#answer').evaluate((old) => old.replaceChildren());
  await page.locator('input[type=file]').setInputFiles(chosen);
};
const named = (page, name) => page.getByRole('button', { name, exact: true });
const title = (page) => page.locator('#answer h2');

const photoSize = (page) =>
  page.locator('livecheck-capture img').evaluate(async (image) => {
    await image.decode();
    return [image.naturalWidth, image.naturalHeight];
  });

async function photograph(page) {
  await named(page, 'Start the camera').click();
  await named(page, 'Take the photo').click();
  await title(page).waitFor();
}

/** No part of the page is wider than the screen, and what can be pressed is large enough. */
async function assertFits(page, width) {
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(wide <= width, `the page is ${wide} px wide on a screen of ${width} px`);
  for (const target of await page.locator('button:visible, summary:visible, #key:visible').all()) {
    const box = await target.boundingBox();
    assert.ok(box.height >= 44, `${await target.textContent()} is ${box.height} px high`);
  }
}

/** What axe finds of WCAG 2.2 A and AA. */
async function assertAccessible(page) {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate(() =>
    window.axe.run(document, {
      runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
    }),
  );
  const found = violations.map(({ id, nodes }) => [id, nodes.map((node) => node.html)]);
  assert.deepEqual(found, []);
}

describe('API key', () => {
  const { page } = lazily(browser());

  test('comes from the address, leaves it, and outlives a reload', async () => {
    assert.equal(page().url(), `${service.origin}/demo/`);
    await page().reload();
    assert.equal(await page().locator('#key-shown').textContent(), `${service.key.slice(0, 8)}…`);
    const requests = await answer(page(), failure('052'));
    await upload(page());
    await title(page()).waitFor();
    assert.equal(requests[0].headers()['x-api-key'], service.key);
  });

  test('is asked for when it is missing, and the photo is sent then', async () => {
    await page().evaluate(() => sessionStorage.clear());
    await page().goto(`${service.origin}/demo/`);
    await upload(page(), await portrait.file(page(), { people: [] }));
    await page().getByRole('alert').getByText('then the photo is sent').waitFor();
    await screenshot(page(), 'key');
    await page().keyboard.type(service.key);
    await page().keyboard.press('Enter');
    await title(page()).waitFor();
    assert.equal(await title(page()).textContent(), ERRORS['051'].title);
  });

  test('that is wrong is refused by the server, and can be changed', async () => {
    await page().goto(`${service.origin}/demo#key=lck_wrong`);
    await upload(page());
    await title(page()).waitFor();
    assert.equal(await title(page()).textContent(), ERRORS['001'].title);
    await page().locator('#answer').getByRole('button', { name: 'Change the API key' }).click();
    await page().keyboard.type('with spaces inside');
    await page().keyboard.press('Enter');
    await page().getByRole('alert').getByText('without spaces').waitFor();
  });

  test('that requires sessions gets a session, and a new one when its checks are used', async () => {
    const sessions = [];
    const checks = [];
    page().on('request', (request) => {
      if (request.url().endsWith('/session/')) sessions.push(request);
    });
    page().on('response', (response) => {
      if (response.url().includes('/liveness/')) checks.push(response.status());
    });
    await page().goto(`${service.origin}/demo#key=${service.sessionKey}`);
    await upload(page(), await portrait.file(page(), { people: [] }));
    for (let sent = 1; sent <= 4; sent += 1) {
      await title(page()).waitFor();
      assert.equal(await title(page()).textContent(), ERRORS['051'].title);
      assert.equal(await named(page(), 'Send again').count(), 0);
      if (sent < 4) await upload(page(), await portrait.file(page(), { people: [] }));
    }
    // 061 and a session, three checks, 062 and a session, the fourth check.
    assert.deepEqual(checks, [401, 422, 422, 422, 429, 422]);
    assert.equal(sessions.length, 2);
  });
});

describe('a face that comes closer', () => {
  const { page } = lazily(browser({ clip: COMES_CLOSER, size: { width: 960, height: 720 } }));

  test('hint, photo without a button, verdict', async () => {
    let release;
    const held = new Promise((resolve) => {
      release = resolve;
    });
    const requests = [];
    await page().route('**/liveness/**', async (route) => {
      requests.push(route.request());
      await held;
      await route.fulfill(verdict(0.973, SAMPLE_FACE));
    });
    await screenshot(page(), 'start');
    await named(page(), 'Start the camera').click();
    await page().locator('livecheck-capture[data-hint=face_small]').waitFor();
    await screenshot(page(), 'camera');
    await assertAccessible(page());
    await page().locator('#waiting').waitFor();
    await screenshot(page(), 'taken');
    await assertAccessible(page());
    release();
    await title(page()).waitFor();
    assert.equal(await title(page()).textContent(), 'A live person');
    assert.equal(await page().locator('livecheck-capture').getByRole('status').textContent(), 'Photo taken');
    await screenshot(page(), 'live');
    await assertAccessible(page());

    const [request] = requests;
    assert.equal(request.method(), 'POST');
    const body = request.postDataBuffer().toString('latin1');
    assert.match(body, /name="image"; filename="photo\.jpeg"\r\nContent-Type: image\/jpeg\r\n\r\n\xff\xd8\xff/);
    assert.deepEqual(await photoSize(page()), [960, 720]);
  });
});

describe('camera', () => {
  const { page } = lazily(browser());

  test('with a name of a program: the answer says so, as a hint', async () => {
    await answer(page(), verdict(0.973));
    await named(page(), 'Start the camera').click();
    await named(page(), 'Take the photo').waitFor();
    await page().evaluate(() => {
      const { shadowRoot } = document.querySelector('livecheck-capture');
      const [track] = shadowRoot.querySelector('video').srcObject.getVideoTracks();
      Object.defineProperty(track, 'label', { value: 'OBS Virtual Camera' });
    });
    await named(page(), 'Take the photo').click();
    await title(page()).waitFor();
    await page().getByText('Virtual camera likely.').waitFor();
  });

  test('is stopped when the photo is taken, and starts again', async () => {
    await answer(page(), verdict(0.973));
    await page().evaluate(() => {
      window.tracks = [];
      const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
      navigator.mediaDevices.getUserMedia = async (wish) => {
        const stream = await ask(wish);
        window.tracks.push(...stream.getTracks());
        return stream;
      };
    });
    await photograph(page());
    assert.deepEqual(await page().evaluate(() => window.tracks.map((track) => track.readyState)), ['ended']);
    await page().locator('#answer').getByRole('button', { name: 'Take another photo' }).click();
    await named(page(), 'Take the photo').waitFor();
    assert.equal(await page().locator('.overlay').count(), 0);
    assert.ok(await page().locator('#tips').isVisible());
    await named(page(), 'Stop the camera').click();
    assert.deepEqual(await page().evaluate(() => window.tracks.map((track) => track.readyState)), [
      'ended',
      'ended',
    ]);
  });

  test('by keyboard alone, with the focus where the next step is', async () => {
    await answer(page(), failure('052', 'a face covering was found (score 0.97, threshold 0.50)'));
    const focused = () =>
      page().evaluate(() => {
        const deep = (root) =>
          root.activeElement?.shadowRoot ? deep(root.activeElement.shadowRoot) : root.activeElement;
        return deep(document).textContent;
      });
    for (let presses = 0; (await focused()) !== 'Start the camera'; presses += 1) {
      assert.ok(presses < 10, 'Tab never reached the camera button');
      await page().keyboard.press('Tab');
    }
    await page().keyboard.press('Enter');
    await named(page(), 'Take the photo').waitFor();
    assert.equal(await focused(), 'Take the photo');
    await page().keyboard.press('Enter');
    await title(page()).waitFor();
    assert.equal(await focused(), ERRORS['052'].title);
  });
});

describe('verdict', () => {
  const { page } = lazily(browser());

  test('shows score and threshold, the face over the picture, masks, attacks and quality', async () => {
    await answer(page(), verdict(0.973));
    await upload(page());
    await title(page()).waitFor();
    const meter = (name) => page().getByRole('meter', { name }).getAttribute('aria-valuetext');
    assert.equal(await meter('Liveness score'), '0.973, threshold 0.900');
    assert.equal(await meter('Face score'), '0.940, threshold 0.750');
    assert.equal(await meter('Face covering'), '0.020, threshold 0.500');
    assert.equal(await meter('Presentation attack'), '0.090');
    assert.doesNotMatch(await page().locator('main').innerText(), /print|screen/i);
    assert.equal(await page().locator('livecheck-capture').getByRole('status').textContent(), 'Photo chosen');
    assert.doesNotMatch(await page().locator('main').innerText(), /looks like an attack/i);
    const facts = await page().locator('#measured dl').innerText();
    for (const fact of ['960 × 720, JPEG', '42 % of the picture', '57 %', '312', '38 ms']) {
      assert.ok(facts.includes(fact), `${fact} is missing in ${facts}`);
    }
    // The drawing is 960 wide; box and points lie over the drawn face wherever it is shown.
    assert.equal(await page().locator('main img:visible').count(), 1, 'one photo, not two');
    const image = await page().locator('livecheck-capture img').boundingBox();
    const box = await page().locator('.overlay rect').boundingBox();
    const scale = image.width / 960;
    assert.ok(Math.abs(box.x - image.x - (480 - 200) * scale) < 3);
    assert.ok(Math.abs(box.y - image.y - (360 - 240) * scale) < 3);
    assert.ok(Math.abs(box.width - 400 * scale) < 5);
    assert.equal(await page().locator('.overlay circle').count(), 5);
  });

  test('findings are shown with their figures and hints', async () => {
    const found = [
      { check: 'backlight', value: 0.41, limit: 0.3, severity: 'warning', hint: 'Turn around, so that the light falls on your face.' },
      { check: 'face_small', value: 0.21, limit: 0.25, severity: 'info', hint: 'Come closer.' },
    ];
    const live = verdict(0.973);
    live.json.result.details.findings = found;
    const refused = failure('051', '2 faces found (scores 0.98, 0.91)');
    refused.json.findings = found;
    await answer(page(), live, refused);
    for (const screen of ['findings-live', 'findings-051']) {
      await upload(page());
      await title(page()).waitFor();
      const shown = await page().locator('#answer .findings').innerText();
      for (const text of ['Light from behind', '0.41 (limit 0.30)', found[0].hint, 'Face too small', found[1].hint]) {
        assert.ok(shown.includes(text), `${text} is missing in ${shown}`);
      }
      await assertAccessible(page());
      await screenshot(page(), screen);
    }
  });

  test('between two thresholds: a person shall look', async () => {
    const answered = verdict(0.85);
    answered.json.result.review = true;
    await answer(page(), answered);
    await upload(page());
    await title(page()).waitFor();
    assert.equal(await title(page()).textContent(), 'To be looked at by a person');
  });

  test('just below the threshold does not look as though it reached it', async () => {
    await answer(page(), verdict(0.89996));
    await upload(page());
    await title(page()).waitFor();
    assert.equal(await title(page()).textContent(), 'Not accepted as a live person');
    const score = page().getByRole('meter', { name: 'Liveness score' });
    assert.equal(await score.getAttribute('aria-valuetext'), '0.899, threshold 0.900');
  });

  test('without details: the score alone', async () => {
    await answer(page(), { json: { success: true, result: { liveness: true, score: 0.91 } } });
    await upload(page());
    await title(page()).waitFor();
    assert.equal(await title(page()).textContent(), 'A live person');
    const score = page().getByRole('meter', { name: 'Liveness score' });
    assert.equal(await score.getAttribute('aria-valuetext'), '0.910');
  });

  test('of an older photo is dropped', async () => {
    let release;
    const held = new Promise((resolve) => {
      release = resolve;
    });
    let asked = 0;
    await page().route('**/liveness/**', async (route) => {
      asked += 1;
      if (asked === 1) await held;
      await route.fulfill(asked === 1 ? verdict(0.2) : verdict(0.95)).catch(() => {});
    });
    await upload(page());
    await page().locator('#waiting').waitFor();
    await page().route('**/liveness/**', (route) => route.fulfill(verdict(0.95)));
    await upload(page());
    await title(page()).waitFor();
    release();
    await page().waitForTimeout(300);
    assert.equal(await title(page()).textContent(), 'A live person');
  });
});

describe('errors', () => {
  const { page } = lazily(browser());

  test('the table has every code of the API', async () => {
    assert.deepEqual(Object.keys(ERRORS).sort(), Object.keys(CODES).sort());
    await page().locator('#codes summary').click();
    assert.equal(await page().locator('#code-rows tr').count(), 10);
    await assertAccessible(page());
    await screenshot(page(), 'codes');
  });

  test('every code says what to do', async () => {
    // A new session does not help either.
    await page().route('**/session/', (route) =>
      route.fulfill({ json: { success: true, session_token: 'x'.repeat(32) } }),
    );
    for (const code of Object.keys(CODES)) {
      await page().unroute('**/liveness/**');
      await answer(page(), failure(code, `the figures of ${code}`));
      await upload(page());
      await page().getByText(`the figures of ${code}`).first().waitFor();
      const shown = await page().locator('#answer').innerText();
      for (const text of [ERRORS[code].title, ERRORS[code].advice, CODES[code][1]]) {
        assert.ok(shown.includes(text), `${text} is missing in ${shown}`);
      }
      const actions = await page().locator('#answer .actions button').allTextContents();
      assert.ok(actions.length >= 1, code);
      assert.equal(actions.includes('Send again'), ['061', '062', '004', '005'].includes(code), code);
      if (code === '051') await screenshot(page(), 'error');
    }
  });

  test('no answer at all: the photo can be sent again', async () => {
    await answer(page(), 'abort', verdict(0.97));
    await upload(page());
    await title(page()).waitFor();
    assert.equal(await title(page()).textContent(), NO_ANSWER.title);
    await named(page(), 'Send again').click();
    await page().getByText('A live person', { exact: true }).waitFor();
  });

  test('an overloaded server says how long to wait', async () => {
    await answer(page(), { ...failure('005', 'queue full', { 'Retry-After': '2' }), status: 503 });
    await upload(page());
    await page().getByText('The server asks you to wait 2 seconds.').waitFor();
  });

  test('a text that looks like markup stays text', async () => {
    await answer(page(), failure('004', '<img src=x onerror=alert(1)>'));
    await upload(page());
    await page().getByText('<img src=x onerror=alert(1)>', { exact: false }).first().waitFor();
    assert.equal(await page().locator('#outcome img').count(), 0);
  });

  test('a file that is no picture never leaves the browser', async () => {
    const requests = await answer(page(), verdict(0.97));
    await upload(page(), { name: 'a.heic', mimeType: 'image/heic', buffer: Buffer.from('no picture') });
    await page().getByRole('alert').getByText('cannot open that file').waitFor();
    assert.equal(requests.length, 0);
  });
});

describe('a machine without a camera', () => {
  const { page } = lazily(browser({ camera: false }));

  test('says so, and an upload still works', async () => {
    await named(page(), 'Start the camera').click();
    await page().getByRole('alert').getByText('upload a photo', { exact: false }).waitFor();
    await screenshot(page(), 'no-camera');
    await upload(page(), await portrait.file(page(), { people: [] }));
    await title(page()).waitFor();
    assert.equal(await title(page()).textContent(), ERRORS['051'].title);
  });
});

for (const dark of [false, true]) {
  const scheme = dark ? 'dark' : 'light';
  describe(`a phone of 360 px, ${scheme}`, () => {
    const { page } = lazily(
      browser({ ...PHONE, dark, clip: UPRIGHT, size: { width: 720, height: 960 } }),
    );

    test('every step fits the screen', async () => {
      const refused = failure('051', '2 faces were found (scores 0.97, 0.93)');
      refused.json.findings = [
        { check: 'second_face', value: 0.93, limit: 0.75, severity: 'warning', hint: 'Be alone in the picture.' },
        { check: 'dark', value: 0.17, limit: 0.2, severity: 'info', hint: 'Face a window or a lamp.' },
      ];
      await answer(
        page(),
        verdict(0.973, { ...PORTRAIT, scale: 1.7 }),
        verdict(0.113, { ...PORTRAIT, scale: 2.3, attack: 0.89 }),
        refused,
      );
      await assertFits(page(), 360);
      await assertAccessible(page());
      await screenshot(page(), `phone-${scheme}-start`);
      await named(page(), 'Start the camera').click();
      await page().locator('livecheck-capture[data-hint=face_small]').waitFor();
      await screenshot(page(), `phone-${scheme}-camera`);
      await assertFits(page(), 360);
      await assertAccessible(page());
      for (const name of ['live', 'attack', 'error']) {
        await title(page()).waitFor();
        await assertFits(page(), 360);
        await assertAccessible(page());
        await screenshot(page(), `phone-${scheme}-${name}`);
        if (name !== 'error') await upload(page(), await portrait.file(page(), PORTRAIT));
      }
      await page().locator('#codes summary').click();
      await assertFits(page(), 360);
      await page().locator('#key-change').click();
      await assertFits(page(), 360);
    });
  });
}

for (const [width, height] of [[768, 1024], [1440, 900]]) {
  describe(`${width} × ${height}`, () => {
    const { page } = lazily(browser({ viewport: { width, height }, dark: width === 1440 }));

    test('every step fits the screen', async () => {
      await answer(page(), verdict(0.973), failure('051', '2 faces found (scores 0.98, 0.91)'));
      await assertFits(page(), width);
      await assertAccessible(page());
      await screenshot(page(), `${width}-start`);
      for (const name of ['live', 'error']) {
        await upload(page());
        await title(page()).waitFor();
        await assertFits(page(), width);
        await assertAccessible(page());
        await screenshot(page(), `${width}-${name}`);
      }
    });
  });
}

describe('in Arabic', () => {
  const { page } = lazily(browser({ ...PHONE, clip: UPRIGHT, size: { width: 720, height: 960 } }));

  test('the camera speaks Arabic, from right to left', async () => {
    await answer(page(), verdict(0.973));
    await page().locator('#language').selectOption('ar');
    await named(page(), 'تشغيل الكاميرا').click();
    await page().locator('livecheck-capture[data-hint=face_small]').waitFor();
    await page().getByText('اقترب أكثر.').waitFor();
    await screenshot(page(), 'phone-arabic-camera');
    await assertFits(page(), 360);
    await assertAccessible(page());
    await title(page()).waitFor();
  });
});

describe('dark desktop', () => {
  const { page } = lazily(browser({ dark: true }));

  test('an attack', async () => {
    await answer(page(), verdict(0.113, { attack: 0.89 }));
    await upload(page());
    await title(page()).waitFor();
    await assertAccessible(page());
    await screenshot(page(), 'dark-attack');
  });
});

describe('serving', () => {
  const { page } = lazily(browser());

  test('the page can be used before the face detector is there', async (context) => {
    const addresses = [];
    page().on('request', (request) => addresses.push(request.url()));
    await page().goto('about:blank');
    await page().goto(`${service.origin}/demo/`);
    await named(page(), 'Start the camera').waitFor();
    context.diagnostic(`usable after ${Math.round(await page().evaluate(() => performance.now()))} ms`);
    assert.ok(!addresses.some((address) => address.endsWith('.wasm')), `${addresses}`);
  });

  test('everything the page loads comes from this server', async () => {
    const addresses = [];
    page().on('request', (request) => addresses.push(request.url()));
    await page().goto(`${service.origin}/demo#key=${service.key}`);
    const loaded = page().waitForResponse(/detector\.wasm$/);
    await named(page(), 'Start the camera').click();
    await loaded;
    for (const address of addresses) {
      assert.ok(address.startsWith(service.origin) || address.startsWith('blob:'), address);
    }
  });

  test('the policy lets the page use the camera and nothing from elsewhere', async () => {
    const response = await fetch(`${service.origin}/demo/`);
    const policy = response.headers.get('content-security-policy');
    assert.match(policy, /default-src 'none'/);
    // WebAssembly needs one exception; nothing else is evaluated.
    assert.doesNotMatch(policy.replace("'wasm-unsafe-eval'", ''), /unsafe|https?:/);
    assert.match(response.headers.get('permissions-policy'), /camera=\(self\)/);
  });

  test('the files of the tests are not in the binary', async () => {
    for (const file of ['tests/package.json', 'tests/node_modules/playwright-core/index.js', 'README.md', 'package.json', 'examples/plain/index.html']) {
      assert.equal((await fetch(`${service.origin}/demo/${file}`)).status, 404, file);
    }
  });
});

/** `page()` of a browser that is opened only when its tests run. */
function lazily(opened) {
  return { page: () => opened.page };
}
