/**
 * The demo page: takes a photo with `<livecheck-capture>`, sends it to the liveness API as any
 * client would, and shows the answer.
 */

import './livecheck-capture.js';
import { ERRORS, NO_ANSWER } from './errors.js';

/** Relative, so that the page also works where a proxy puts the service under a path. */
const API = Object.freeze({ liveness: '../liveness/?details=true', session: '../session/' });

/** How long an answer may take, milliseconds: a slow phone network uploads 10 MB in this time. */
const PATIENCE_MS = 120_000;

const $ = (id) => document.getElementById(id);
const capture = $('capture');

/** The key and the session last as long as the tab, so that a reload does not ask again. */
const kept = {
  get key() {
    return sessionStorage.getItem('livecheck-key') ?? '';
  },
  set key(key) {
    sessionStorage.setItem('livecheck-key', key);
    this.token = '';
  },
  /** Only for keys that require sessions. */
  token: '',
};

/** The photo at hand: `{blob, width, height, …}`; sent again when asked. */
let photo = null;
/** Grows with every photo, so that the answer for an older one is dropped. */
let turn = 0;

// ---------------------------------------------------------------------------------------------
// API key

function takeKeyFromAddress() {
  const key = new URLSearchParams(location.hash.slice(1)).get('key');
  if (key === null) return;
  kept.key = key.trim();
  // Out of the address bar, the history and every screenshot.
  history.replaceState(null, '', location.pathname + location.search);
}

function showKey(ask) {
  $('key-form').hidden = !ask;
  $('key-kept').hidden = ask;
  $('key-shown').textContent = `${kept.key.slice(0, 8)}…`;
}

function askForKey(problem = '') {
  showKey(true);
  $('key-error').textContent = problem;
  $('key').toggleAttribute('aria-invalid', Boolean(problem));
  $('key').focus();
}

$('key-form').addEventListener('submit', (event) => {
  event.preventDefault();
  const key = $('key').value.trim();
  if (!key) {
    askForKey('Enter the API key first.');
    return;
  }
  if (!/^[\x21-\x7e]+$/.test(key)) {
    askForKey('A key has only letters, digits, "-" and "_". Copy it again, without spaces.');
    return;
  }
  kept.key = key;
  $('key').value = '';
  $('key-error').textContent = '';
  $('key').removeAttribute('aria-invalid');
  showKey(false);
  if (photo) send();
  else capture.focus();
});
$('key-change').addEventListener('click', () => askForKey());

// ---------------------------------------------------------------------------------------------
// Photo

capture.addEventListener('livecheck-photo', ({ detail }) => {
  forgetPhoto();
  photo = detail;
  if (kept.key) send();
  else askForKey('Enter the API key: then the photo is sent.');
});

$('language').addEventListener('change', ({ target }) => capture.setAttribute('lang', target.value));
const wished = new URLSearchParams(location.search).get('lang');
if ([...$('language').options].some(({ value }) => value === wished)) {
  $('language').value = wished;
  capture.setAttribute('lang', wished);
}

capture.addEventListener('livecheck-state', ({ detail }) => {
  if (['starting', 'preparing', 'idle'].includes(detail.state)) {
    forgetPhoto();
    show('tips');
  }
});

function forgetPhoto() {
  turn += 1;
  photo = null;
}

// ---------------------------------------------------------------------------------------------
// Sending

/** One request; the answer's status, `Retry-After` and parsed body (null when it is no JSON). */
async function request(address, options) {
  const response = await fetch(address, {
    ...options,
    headers: { 'x-api-key': kept.key, ...options.headers },
    cache: 'no-store',
    credentials: 'omit',
    signal: AbortSignal.timeout(PATIENCE_MS),
  });
  const body = await response.json().catch(() => null);
  return { body, wait: response.headers.get('retry-after') };
}

function upload() {
  const form = new FormData();
  form.append('image', photo.blob, `photo.${photo.blob.type.split('/')[1]}`);
  const headers = kept.token ? { 'x-session-token': kept.token } : {};
  return request(API.liveness, { method: 'POST', body: form, headers });
}

/** Sends the photo; a key that requires sessions gets a new one when it needs one. */
async function check() {
  const first = await upload();
  if (!['061', '062'].includes(first.body?.error_code)) return first;
  const session = await request(API.session, { method: 'GET' });
  if (!session.body?.success) return session;
  kept.token = session.body.session_token;
  return upload();
}

async function send() {
  turn += 1;
  const mine = turn;
  show('waiting');
  $('progress').textContent = 'Checking your photo…';
  let answer;
  try {
    answer = await check();
  } catch {
    answer = { body: null, wait: null };
  }
  if (mine !== turn) return;
  $('progress').textContent = '';
  const { body, wait } = answer;
  if (body?.success === true && typeof body.result?.score === 'number') showVerdict(body);
  else showError(body, wait);
  show('answer');
  const heading = $('answer').querySelector('h2');
  heading.focus({ preventScroll: true });
  const calm = matchMedia('(prefers-reduced-motion: reduce)').matches;
  $('outcome').scrollIntoView({ behavior: calm ? 'auto' : 'smooth', block: 'nearest' });
}

// ---------------------------------------------------------------------------------------------
// Showing

/** Makes an element: properties by name, `aria-…`, `data-…` and `role` as attributes. */
function make(name, properties = {}, ...children) {
  const svg = ['svg', 'rect', 'circle', 'path', 'title'].includes(name);
  const node = svg
    ? document.createElementNS('http://www.w3.org/2000/svg', name)
    : document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (svg || key.includes('-') || ['role', 'class', 'slot'].includes(key)) node.setAttribute(key, value);
    else node[key] = value;
  }
  node.append(...children);
  return node;
}

function show(panel) {
  $('columns').dataset.panel = panel;
  if (panel !== 'answer') {
    capture.replaceChildren();
    $('measured').hidden = true;
  }
  for (const name of ['tips', 'waiting', 'answer']) $(name).hidden = name !== panel;
  const titled = panel === 'answer' ? 'answer-title' : 'outcome-title';
  $('outcome').setAttribute('aria-labelledby', titled);
  $('outcome').setAttribute('aria-busy', String(panel === 'waiting'));
}

/** Cut, not rounded: a score just below its threshold must not look as though it reached it. */
const cut = (score) => (Math.floor(score * 1000 + 1e-6) / 1000).toFixed(3);
const fixed = (value, digits) => (Number.isFinite(value) ? value.toFixed(digits) : 'unknown');
const percent = (share) => (Number.isFinite(share) ? `${Math.round(share * 100)} %` : 'unknown');

const ICONS = Object.freeze({
  good: 'm6 12.5 4 4L18.5 7.5',
  bad: 'M7 7l10 10M17 7 7 17',
  stop: 'M12 6.5v7M12 17.3v.2',
});

function headline(kind, text) {
  const icon = make(
    'svg',
    { viewBox: '0 0 24 24', width: 24, height: 24, 'aria-hidden': 'true' },
    make('path', { d: ICONS[kind] }),
  );
  return make(
    'div',
    { class: `verdict ${kind}` },
    make('span', { class: 'badge' }, icon),
    make('h2', { id: 'answer-title', tabIndex: -1 }, text),
  );
}

/** A score on a bar from 0 to 1, with its threshold when it has one. */
function bar(label, score, { threshold = null, kind = 'plain', note = '' } = {}) {
  const limit = threshold === null ? '' : `threshold ${cut(threshold)}`;
  const track = make('div', {
    class: `bar ${kind}`,
    role: 'meter',
    'aria-label': label,
    'aria-valuemin': '0',
    'aria-valuemax': '1',
    'aria-valuenow': cut(score),
    'aria-valuetext': [cut(score), limit].filter(Boolean).join(', '),
  });
  track.append(make('div', { class: 'fill' }));
  track.style.setProperty('--score', String(Math.min(Math.max(score, 0), 1)));
  if (threshold !== null) {
    track.append(make('div', { class: 'tick' }));
    track.style.setProperty('--threshold', String(threshold));
  }
  return make(
    'div',
    { class: 'measure' },
    make(
      'p',
      {},
      make('span', {}, label),
      make('span', { class: 'figures' }, make('strong', {}, cut(score)), limit ? ` ${limit}` : ''),
    ),
    track,
    ...(note ? [make('p', { class: 'help' }, note)] : []),
  );
}

/** Face box and the five landmarks over the photo. */
function overlay(details, kind) {
  if (!details?.face) return [];
  const { width, height } = details.image;
  const { bbox, landmarks } = details.face;
  const faceWidth = bbox.x1 - bbox.x0;
  const drawing = make('svg', {
    slot: 'overlay',
    class: `overlay ${kind}`,
    viewBox: `0 0 ${width} ${height}`,
    'aria-hidden': 'true',
  });
  drawing.append(
    make('rect', {
      x: bbox.x0,
      y: bbox.y0,
      width: faceWidth,
      height: bbox.y1 - bbox.y0,
      rx: faceWidth * 0.03,
    }),
  );
  for (const [cx, cy] of landmarks) {
    drawing.append(make('circle', { cx, cy, r: Math.max(0.024 * faceWidth, 0.003 * width) }));
  }
  return [drawing];
}

/** What the checks of `findings` are called. */
const FINDINGS = Object.freeze({
  face_cut_off: 'Face cut off',
  face_too_close: 'Too close',
  face_small: 'Face too small',
  pose_yaw: 'Head turned to the side',
  pose_pitch: 'Head turned up or down',
  pose_roll: 'Head tilted',
  blur: 'Blurred',
  dark: 'Too dark',
  bright: 'Too bright',
  backlight: 'Light from behind',
  glare: 'Reflections on the face',
  low_contrast: 'Low contrast',
  strong_compression: 'Strongly compressed',
  upscaled: 'Enlarged picture',
  greyscale: 'No colour',
  border: 'Border around the picture',
  rotated: 'Rotated picture',
  second_face: 'Second face',
});

/** A figure in as many digits as it needs. */
function figure(value) {
  if (typeof value !== 'number') return String(value);
  return value.toFixed(Math.abs(value) >= 10 || Number.isInteger(value) ? 0 : 2);
}

/** What could be better about the photo: the server's findings, with their hints. */
function findings(list) {
  if (!Array.isArray(list) || list.length === 0) return [];
  const rows = list.map(({ check, value, limit, severity, hint }) => {
    const measured = [value, limit].every((number) => typeof number === 'number')
      ? `${figure(value)} (limit ${figure(limit)})`
      : '';
    return make(
      'li',
      { class: severity === 'warning' ? 'warning' : 'info' },
      make('p', {}, make('strong', {}, FINDINGS[check] ?? check), ' ', make('span', { class: 'figures' }, measured)),
      make('p', { class: 'help' }, hint ?? ''),
    );
  });
  return [make('h3', {}, 'What could be better'), make('ul', { class: 'findings' }, ...rows)];
}

/** A camera whose name is that of a program. */
function cameraNote() {
  if (photo?.virtual !== 'likely') return [];
  return [
    make(
      'p',
      { class: 'camera-note' },
      make('strong', {}, 'Virtual camera likely.'),
      ' The camera has the name of a program that plays pictures. That is a hint, no proof.',
    ),
  ];
}

/** The figures beneath the photo. */
function showMeasured({ quality, image, timings, attack_score: attack, mask_score: mask, thresholds }) {
  $('measured').replaceChildren(
    make('h2', { id: 'measured-title' }, 'What was measured'),
    make(
      'div',
      {},
      bar('Presentation attack', attack, { note: 'Not calibrated: only the liveness score decides.' }),
      bar('Face covering', mask, { threshold: thresholds.mask, note: 'Below its threshold: no mask.' }),
    ),
    facts([
      ['Picture', `${image.width} × ${image.height}, ${image.format.toUpperCase()}`],
      ['Face width', `${percent(quality.face_share)} of the picture`],
      ['Brightness', percent(quality.brightness)],
      ['Contrast', percent(quality.contrast)],
      ['Sharpness', fixed(quality.sharpness, 0)],
      ['Time on the server', `${fixed(timings.total_ms, 0)} ms`],
    ]),
  );
  $('measured').hidden = false;
}

function facts(rows) {
  const list = make('dl', { class: 'facts' });
  for (const [name, value] of rows) {
    list.append(make('div', {}, make('dt', {}, name), make('dd', {}, value)));
  }
  return list;
}

function button(text, click, primary = false) {
  const node = make('button', { type: 'button', class: primary ? 'primary' : '' }, text);
  node.addEventListener('click', click);
  return node;
}

function retake() {
  capture.scrollIntoView({ block: 'nearest' });
  capture.focus();
  capture.start();
}

/** The ways to another photo. */
const another = (primary) => [
  button('Take another photo', retake, primary),
  button('Upload a photo', () => capture.choose()),
];

/** The answer of the server, word for word. */
function raw(body) {
  const text = JSON.stringify(body, null, 2);
  return make(
    'details',
    {},
    make('summary', {}, 'The server’s answer'),
    make('pre', { tabIndex: 0 }, text),
  );
}

const VERDICTS = Object.freeze({
  live: ['good', 'A live person', 'The face in the photo was accepted.'],
  review: [
    'stop',
    'To be looked at by a person',
    'The score lies between the two thresholds: neither accepted nor refused.',
  ],
  refused: [
    'bad',
    'Not accepted as a live person',
    'If you are in front of the camera yourself, try again: even light from the front, no glare, hold still, and photograph your face directly.',
  ],
});

function showVerdict(body) {
  const { liveness, review, score, details } = body.result;
  let outcome = 'refused';
  if (liveness) outcome = 'live';
  else if (review) outcome = 'review';
  const [kind, text, advice] = VERDICTS[outcome];
  capture.replaceChildren(...overlay(details, kind));
  const nodes = [
    headline(kind, text),
    make('p', { class: 'advice' }, advice),
    ...cameraNote(),
    bar('Liveness score', score, { threshold: details?.thresholds.liveness ?? null, kind }),
  ];
  if (details) {
    nodes.push(
      bar('Face score', details.face.score, { threshold: details.thresholds.face }),
      ...findings(details.findings),
    );
    showMeasured(details);
  }
  nodes.push(
    make('div', { class: 'actions' }, ...another(!liveness)),
    raw(body),
  );
  $('answer').replaceChildren(...nodes);
}

function showError(body, wait) {
  const code = body?.error_code;
  const error = ERRORS[code] ?? NO_ANSWER;
  const nodes = [headline('stop', error.title), make('p', { class: 'advice' }, error.advice)];
  if (/^\d+$/.test(wait ?? '')) {
    const seconds = Number(wait) === 1 ? '1 second' : `${wait} seconds`;
    nodes.push(make('p', { class: 'advice' }, `The server asks you to wait ${seconds}.`));
  }
  if (code) {
    nodes.push(
      make(
        'p',
        { class: 'help' },
        `Error ${code}: ${body.error_message ?? ''}`,
        ...(body.error_detail ? [make('br'), `Detail: ${body.error_detail}`] : []),
      ),
    );
  }
  nodes.push(...cameraNote(), ...findings(body?.findings));
  // The same photo gets the same answer, unless the fault was elsewhere.
  const actions = {
    retake: another(true),
    resend: [button('Send again', send, true), ...another(false)],
    key: [button('Change the API key', () => askForKey(), true)],
  };
  nodes.push(make('div', { class: 'actions' }, ...actions[error.next]));
  if (body) nodes.push(raw(body));
  $('answer').replaceChildren(...nodes);
}

function showCodes() {
  for (const code of Object.keys(ERRORS)) {
    const { title, advice } = ERRORS[code];
    $('code-rows').append(
      make(
        'tr',
        {},
        make('th', { scope: 'row' }, code),
        make('td', {}, title),
        make('td', {}, advice),
      ),
    );
  }
}

takeKeyFromAddress();
showKey(!kept.key);
showCodes();
window.addEventListener('hashchange', () => {
  takeKeyFromAddress();
  showKey(!kept.key);
});
