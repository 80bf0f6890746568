/**
 * `<livecheck-capture>`: takes one selfie, with the camera or from a file, and hands it over as a
 * file that the liveness API accepts. It sends nothing anywhere. `README.md` beside this file
 * documents attributes, methods, events, parts and custom properties.
 *
 * It needs no build step and no inline style or script. A content security policy needs
 * `img-src blob:`, and for hints and the automatic photo `script-src 'wasm-unsafe-eval'`,
 * `connect-src` and `worker-src` for the folder of this file.
 */

import { virtualCamera } from './cameras.js';
import { loadDetector } from './detector.js';
import { LIMITS, PATCH, findingsOf, measure, measurePatch, measureSurroundings, ovalIn } from './findings.js';
import { FILE_LIMITS, encode, preparePhoto } from './photo.js';
import { LANGUAGES, TEXTS, languageOf } from './texts/index.js';

export { API_LIMITS, CHECKS, LIMITS, findingsOf, measure, ovalIn } from './findings.js';
export { FILE_LIMITS, preparePhoto } from './photo.js';
export { LANGUAGES, TEXTS } from './texts/index.js';
export { virtualCamera } from './cameras.js';

/** Milliseconds of the live view. */
export const TIMING = Object.freeze({
  /** Between the starts of two looks at the video. */
  lookMs: 70,
  /** How long a hint is due before it is shown, and how long nothing is wrong before it goes. */
  hintAfterMs: 400,
  /** Movement mostly ends by itself. */
  movingAfterMs: 700,
  readyAfterMs: 150,
  /** A hint stays this long, so that it can be read and heard. */
  dwellMs: 800,
  /** Everything is right for this long: the photo is taken. */
  steadyMs: 500,
  /** Looks that must have been made in that time. */
  steadyLooks: 3,
  /** The sharpest frame is chosen from this long. */
  recentMs: 1000,
  /** Movement is measured between looks that lie at least this far apart. */
  movementMs: 180,
  /** The fastest movement of this long counts: at its turning point a swing stands still. */
  calmMs: 300,
  /** How long the camera may take to make a still photo before the video's frame is used. */
  stillMs: 5000,
});

/** Frames that are kept to choose from: full pictures of the camera take memory. */
const KEPT_FRAMES = 3;

// ---------------------------------------------------------------------------------------------
// The element

/** Makes an element: attributes, then children. */
function make(name, attributes = {}, ...children) {
  const svg = ['svg', 'path', 'ellipse', 'circle'].includes(name);
  const node = svg
    ? document.createElementNS('http://www.w3.org/2000/svg', name)
    : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

const STYLE = `
:host {
  --accent: var(--livecheck-accent, #0b6b62);
  --on-accent: var(--livecheck-on-accent, #fff);
  --text: var(--livecheck-text, #17211f);
  --muted: var(--livecheck-muted, #55625f);
  --surface: var(--livecheck-surface, #fff);
  --stage: var(--livecheck-stage, #e6ecea);
  --border: var(--livecheck-border, #84918e);
  --bad: var(--livecheck-bad, #a3231b);
  --radius: var(--livecheck-radius, 14px);
  display: block;
  color: var(--text);
  font: inherit;
}
:host([hidden]), [hidden] { display: none !important; }
* { box-sizing: border-box; }
.stage {
  position: relative;
  overflow: hidden;
  width: 100%;
  max-width: calc(var(--livecheck-stage-height, 68vh) * var(--ratio, 1.3333));
  aspect-ratio: var(--ratio, 1.3333);
  margin: 0 auto;
  border-radius: var(--radius);
  background: var(--stage);
}
video, img, .guide, .figure { position: absolute; inset: 0; width: 100%; height: 100%; }
video { object-fit: cover; }
:host(:not([facing="environment"])) video { transform: scaleX(-1); }
img { object-fit: contain; }
::slotted([slot="overlay"]) { position: absolute; inset: 0; width: 100%; height: 100%; }
.shoulders, .head { fill: color-mix(in srgb, var(--muted) 22%, var(--stage)); }
.head { stroke: var(--stage); stroke-width: 12; }
.frame { fill: none; stroke: var(--muted); stroke-width: 2; stroke-dasharray: 9 7; opacity: .8; }
.shade { fill: rgb(9 16 15 / 52%); }
.outline { fill: none; stroke: #fff; stroke-width: 3; vector-effect: non-scaling-stroke;
  stroke-dasharray: 9 7; transition: stroke .25s; }
:host([data-hint="ready"]) .outline { stroke: #7df0c4; stroke-width: 4; stroke-dasharray: none; }
.flash { position: absolute; inset: 0; background: #fff; opacity: 0; pointer-events: none; }
:host([data-state="taking"]) .flash { animation: flash .45s ease-out; }
@keyframes flash { 0% { opacity: .85 } 100% { opacity: 0 } }
.stage.over { outline: 3px dashed var(--accent); outline-offset: -3px; }
.hint { min-height: 3em; margin: .75rem 0; display: grid; place-items: center;
  text-align: center; text-wrap: balance; font-weight: 600; line-height: 1.35; }
.error { margin: 0 0 .75rem; padding: .7rem .9rem; border-radius: calc(var(--radius) * .7);
  border: 1px solid var(--bad); color: var(--bad); text-align: start; line-height: 1.4; }
.controls { display: flex; flex-wrap: wrap; gap: .6rem; justify-content: center; }
button { flex: 1 1 10rem; max-width: 22rem; min-height: 48px; padding: .55rem 1.1rem; cursor: pointer;
  border: 1px solid var(--border); border-radius: 999px; background: var(--surface);
  color: var(--text); font: inherit; font-weight: 600; transition: filter .15s; }
button.wide { flex-basis: 100%; max-width: none; }
button.primary { background: var(--accent); border-color: var(--accent); color: var(--on-accent); }
button:hover:not(:disabled) { filter: brightness(.93); }
button:disabled { opacity: .55; cursor: default; }
button:focus-visible, .stage:focus-visible { outline: 3px solid var(--accent); outline-offset: 3px; }
input { position: absolute; width: 1px; height: 1px; opacity: 0; pointer-events: none; }
@media (prefers-reduced-motion: reduce) {
  *, *::before { transition: none !important; animation: none !important; }
}
@media (forced-colors: active) { .outline { stroke: CanvasText; } button { border-width: 2px; } }
`;

/** What is visible in each state. */
const VISIBLE = Object.freeze({
  idle: ['figure', 'start', 'upload'],
  starting: ['figure', 'start', 'upload'],
  live: ['video', 'guide', 'take', 'upload', 'cancel'],
  taking: ['video', 'guide', 'take', 'upload'],
  preparing: ['figure', 'start', 'upload'],
  done: ['photo', 'again', 'upload'],
});
const BUSY = Object.freeze(['starting', 'taking', 'preparing']);

/** See `README.md`. */
export class LivecheckCapture extends HTMLElement {
  static observedAttributes = ['disabled', 'lang', 'upload'];

  #nodes = {};
  #state = 'idle';
  /** Texts of the language, and those that the site replaced. */
  #language = 'en';
  #words = TEXTS;
  #replaced = {};
  #stream = null;
  #timer = 0;
  /** What the looks at the video have found so far, see `#watch`. */
  #look = null;
  #patch = null;
  #photoAddress = '';
  /** Where the photo came from, for the text beneath it. */
  #source = 'camera';
  /** Grows with every start and stop, so that a late answer of the browser is recognised. */
  #turn = 0;

  constructor() {
    super();
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    const root = this.attachShadow({ mode: 'open', delegatesFocus: true });
    root.adoptedStyleSheets = [sheet];
    this.#build(root);
    this.#show('idle');
  }

  connectedCallback() {
    this.#speak();
    this.#show(this.#state);
  }

  disconnectedCallback() {
    this.reset();
  }

  attributeChangedCallback(name) {
    if (name === 'lang') this.#speak();
    this.#show(this.#state);
  }

  /** `idle`, `starting`, `live`, `taking`, `preparing` or `done`. */
  get state() {
    return this.#state;
  }

  /** Texts by name; those not given keep the words of the language. */
  get texts() {
    return { ...this.#words, ...this.#replaced };
  }

  set texts(texts) {
    this.#replaced = { ...texts };
    this.#label();
    this.#show(this.#state);
  }

  /** Whether the camera's label names a program: `likely` or `unknown`. A hint, no proof. */
  get virtual() {
    return virtualCamera(this.#stream?.getVideoTracks()[0]?.label);
  }

  /** How many looks a second were made at the camera's picture so far; 0 before the first. */
  get looksPerSecond() {
    const { looks = 0, since = 0, last = 0 } = this.#look ?? {};
    return looks === 0 ? 0 : (1000 * looks) / (last - since);
  }

  /** Whether the photo is taken without a button. */
  get automatic() {
    return this.getAttribute('auto') !== 'off' && this.getAttribute('hints') !== 'off';
  }

  /** Asks for the camera and shows its picture. Resolves when it is live, or has failed. */
  async start() {
    if (this.disabled || ['starting', 'live', 'taking', 'preparing'].includes(this.#state)) return;
    const turn = this.#begin('starting');
    if (!navigator.mediaDevices?.getUserMedia) {
      this.#fail('camera-unsupported');
      return;
    }
    // Loads while the user is asked; a failure shows when the first look is due.
    if (this.getAttribute('hints') !== 'off') loadDetector().catch(() => {});
    // The video of a camera that also takes still photos need not be large.
    const stills = !this.automatic && 'ImageCapture' in window;
    try {
      const stream = await navigator.mediaDevices.getUserMedia({
        audio: false,
        video: {
          facingMode: this.getAttribute('facing') ?? 'user',
          width: { ideal: stills ? 1920 : 3840 },
          height: { ideal: stills ? 1440 : 2160 },
        },
      });
      if (turn !== this.#turn) {
        for (const track of stream.getTracks()) track.stop();
        return;
      }
      this.#stream = stream;
      const { video } = this.#nodes;
      video.srcObject = stream;
      stream.getVideoTracks()[0].addEventListener('ended', () => {
        if (this.#stream === stream) this.#fail('camera-lost');
      });
      await video.play();
      if (turn !== this.#turn) return;
      this.#fit(video.videoWidth, video.videoHeight);
      this.#show('live');
      this.#nodes.take.focus({ preventScroll: true });
      this.#watch();
    } catch (error) {
      if (turn === this.#turn) this.#fail(cameraFailure(error));
    }
  }

  /** Takes the photo. Resolves after `livecheck-photo` or `livecheck-error`. */
  async capture() {
    if (this.disabled || this.#state !== 'live') return;
    await this.#take(() => this.#still(), false);
  }

  /** Takes a file as though the user had chosen it. */
  async use(file) {
    if (this.disabled) return;
    this.#begin('preparing');
    await this.#deliver(file, { source: 'file', automatic: false, virtual: 'unknown' });
  }

  /** Opens the file dialogue; call it from a click. */
  choose() {
    this.#nodes.file.click();
  }

  /** Stops the camera and forgets the photo. */
  reset() {
    this.#begin('idle');
  }

  get disabled() {
    return this.hasAttribute('disabled');
  }

  set disabled(disabled) {
    this.toggleAttribute('disabled', Boolean(disabled));
  }

  // --- inside

  #build(root) {
    const nodes = this.#nodes;
    nodes.video = make('video', { part: 'video', playsinline: '', muted: '', autoplay: '' });
    nodes.video.muted = true;
    nodes.photo = make('img', { part: 'photo', alt: '' });
    nodes.shade = make('path', { class: 'shade', 'fill-rule': 'evenodd' });
    nodes.outline = make('ellipse', { class: 'outline', part: 'outline' });
    nodes.guide = make(
      'svg',
      { class: 'guide', part: 'guide', 'aria-hidden': 'true', preserveAspectRatio: 'none' },
      nodes.shade,
      nodes.outline,
    );
    nodes.figure = make(
      'svg',
      { class: 'figure', viewBox: '0 0 400 300', 'aria-hidden': 'true' },
      make('path', { class: 'shoulders', d: 'M60 300c10-44 60-66 140-66s130 22 140 66z' }),
      make('ellipse', { class: 'head', cx: 200, cy: 150, rx: 78, ry: 108 }),
      make('ellipse', { class: 'frame', cx: 200, cy: 150, rx: 96.75, ry: 129 }),
    );
    nodes.stage = make(
      'div',
      { class: 'stage', part: 'stage' },
      nodes.figure,
      nodes.video,
      nodes.photo,
      nodes.guide,
      make('slot', { name: 'overlay' }),
      make('div', { class: 'flash' }),
    );
    nodes.hint = make('p', { class: 'hint', part: 'hint', role: 'status' });
    nodes.error = make('p', { class: 'error', part: 'error', role: 'alert' });
    nodes.error.hidden = true;
    const button = (name, primary, click) => {
      nodes[name] = make('button', {
        type: 'button',
        class: [primary ? 'primary' : '', name === 'take' ? 'wide' : ''].join(' ').trim(),
        part: `button ${primary ? 'button-primary' : 'button-secondary'}`,
      });
      nodes[name].addEventListener('click', click);
      return nodes[name];
    };
    // `image/*` makes phones offer their camera, and iPhones hand over HEIC as JPEG.
    nodes.file = make('input', { type: 'file', accept: 'image/*', tabindex: '-1' });
    nodes.file.addEventListener('change', () => {
      const [file] = nodes.file.files;
      nodes.file.value = '';
      if (file) this.use(file);
    });
    nodes.controls = make(
      'div',
      { class: 'controls', part: 'controls' },
      button('start', true, () => this.start()),
      button('take', true, () => this.capture()),
      button('again', true, () => this.start()),
      button('upload', false, () => this.choose()),
      button('cancel', false, () => this.reset()),
      nodes.file,
    );
    nodes.stage.addEventListener('dragover', (event) => {
      if (!this.#uploads) return;
      event.preventDefault();
      nodes.stage.classList.add('over');
    });
    nodes.stage.addEventListener('dragleave', () => nodes.stage.classList.remove('over'));
    nodes.stage.addEventListener('drop', (event) => {
      if (!this.#uploads) return;
      event.preventDefault();
      nodes.stage.classList.remove('over');
      const [file] = event.dataTransfer.files;
      if (file) this.use(file);
    });
    nodes.frame = make('div', { class: 'frame-of-all' }, nodes.stage, nodes.hint, nodes.error, nodes.controls);
    root.append(nodes.frame);
    this.#label();
  }

  get #uploads() {
    return this.getAttribute('upload') !== 'off';
  }

  /** Takes the words of the `lang` attribute, or of the page around. */
  async #speak() {
    const tag = this.getAttribute('lang') ?? this.closest('[lang]')?.getAttribute('lang');
    const language = languageOf(tag);
    if (language === this.#language) return;
    this.#language = language;
    const words = await LANGUAGES[language]().catch(() => TEXTS);
    if (language !== this.#language) return;
    this.#words = words;
    this.#label();
    this.#show(this.#state);
  }

  #text(name) {
    return this.#replaced[name] ?? this.#words[name] ?? TEXTS[name] ?? '';
  }

  #label() {
    const { frame, start, take, again, upload, cancel, file, video } = this.#nodes;
    frame.setAttribute('dir', this.#text('dir'));
    frame.setAttribute('lang', this.#language);
    for (const [name, node] of Object.entries({ start, take, again, upload, cancel })) {
      node.textContent = this.#text(name);
    }
    file.setAttribute('aria-label', this.#text('file'));
    video.setAttribute('aria-label', this.#text('video'));
  }

  #say(text) {
    if (this.#nodes.hint.textContent !== text) this.#nodes.hint.textContent = text;
  }

  /** Gives the stage the shape of the picture, so that all that will be in the photo is seen. */
  #fit(width, height) {
    this.style.setProperty('--ratio', String(width / height));
    const { cx, cy, rx, ry } = ovalIn(width, height);
    const { guide, shade, outline } = this.#nodes;
    guide.setAttribute('viewBox', `0 0 ${width} ${height}`);
    shade.setAttribute(
      'd',
      `M0 0H${width}V${height}H0Z M${cx - rx} ${cy}a${rx} ${ry} 0 1 0 ${2 * rx} 0a${rx} ${ry} 0 1 0 ${-2 * rx} 0Z`,
    );
    for (const [name, value] of Object.entries({ cx, cy, rx, ry })) {
      outline.setAttribute(name, value);
    }
  }

  /** Leaves whatever was going on for a new state; returns the number of the new turn. */
  #begin(state) {
    this.#turn += 1;
    clearTimeout(this.#timer);
    this.#forgetFrames();
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    this.#stream = null;
    this.#nodes.video.srcObject = null;
    this.#nodes.error.hidden = true;
    this.#nodes.error.textContent = '';
    this.#forgetPhoto();
    this.#show(state);
    return this.#turn;
  }

  #forgetPhoto() {
    this.#nodes.photo.removeAttribute('src');
    if (this.#photoAddress) URL.revokeObjectURL(this.#photoAddress);
    this.#photoAddress = '';
  }

  #show(state) {
    const nodes = this.#nodes;
    const held = this.shadowRoot.activeElement;
    const changed = this.#state !== state;
    this.#state = state;
    for (const name of ['figure', 'video', 'guide', 'photo', 'start', 'take', 'again', 'upload', 'cancel']) {
      const off = name === 'upload' && !this.#uploads;
      nodes[name].toggleAttribute('hidden', off || !VISIBLE[state].includes(name));
    }
    for (const name of ['start', 'take', 'again', 'upload', 'cancel']) {
      nodes[name].disabled = this.disabled || BUSY.includes(state);
    }
    if (state === 'live') {
      this.#say(this.#hintText(this.getAttribute('data-hint') ?? 'aim'));
    } else {
      this.removeAttribute('data-hint');
      let name = state;
      if (state === 'idle' && !this.#uploads) name = 'idle-camera';
      if (state === 'done' && this.#source === 'file') name = 'chosen';
      this.#say(this.#text(name));
    }
    if (!this.isConnected) return;
    this.setAttribute('data-state', state);
    // The keyboard's place must not be lost when its button goes.
    if (held && (held.hidden || held.disabled)) {
      const next = ['take', 'again', 'start'].find((name) => !nodes[name].hidden && !nodes[name].disabled);
      if (next) nodes[next].focus({ preventScroll: true });
    }
    if (changed) this.#emit('livecheck-state', { state });
  }

  #fail(reason) {
    this.#begin('idle');
    const ways = [this.#text(reason)];
    if (reason.startsWith('camera-') && this.#uploads) ways.push(this.#text('or-upload'));
    const text = ways.join(' ');
    this.#nodes.error.textContent = text;
    this.#nodes.error.hidden = false;
    this.#emit('livecheck-error', { reason, text });
  }

  #emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
  }

  // --- looking

  /** Looks at the video again and again, says what would help, and takes the photo. */
  async #watch() {
    const turn = this.#turn;
    this.#look = {
      since: performance.now(),
      looks: 0,
      last: 0,
      wrongSince: null,
      due: '',
      dueSince: 0,
      shownAt: -Infinity,
      goodSince: null,
      goodLooks: 0,
      places: [],
      speeds: [],
      frames: [],
    };
    if (this.getAttribute('hints') === 'off') return;
    let detector;
    try {
      detector = await loadDetector();
    } catch {
      // Without WebAssembly the button remains.
      if (turn === this.#turn) this.#emit('livecheck-error', { reason: 'detector-unavailable', text: '' });
      return;
    }
    const here = () => turn === this.#turn && this.#state === 'live';
    const again = async () => {
      if (!here()) return;
      const started = performance.now();
      const { video } = this.#nodes;
      if (!document.hidden && video.readyState >= 2 && video.videoWidth > 0) {
        await this.#lookAt(video, detector, here);
        if (!here()) return;
      }
      this.#timer = setTimeout(again, Math.max(0, TIMING.lookMs - (performance.now() - started)));
    };
    await again();
  }

  async #lookAt(video, detector, here) {
    const frame = this.automatic ? await createImageBitmap(video).catch(() => null) : null;
    const picture = frame ?? video;
    const [width, height] = frame ? [frame.width, frame.height] : [video.videoWidth, video.videoHeight];
    const now = performance.now();
    let measures;
    try {
      measures = await this.#measure(picture, width, height, detector, now);
    } catch {
      frame?.close();
      return;
    }
    if (!here()) {
      frame?.close();
      return;
    }
    this.#look.looks += 1;
    this.#look.last = performance.now();
    const findings = findingsOf(measures, this.getAttribute('data-hint') ?? '');
    this.#hint(findings, measures, now);
    if (frame) await this.#decide(findings, measures, frame, now);
  }

  async #measure(picture, width, height, detector, now) {
    const { faces, small, scale } = await detector.detect(picture, width, height);
    const found = faces.filter(({ score }) => score >= Math.min(LIMITS.second_face, LIMITS.no_face) * 0.8);
    const [face] = found;
    let patch = null;
    let box = null;
    if (face) {
      const x0 = Math.max(face.box.x0, 0);
      const y0 = Math.max(face.box.y0, 0);
      const w = Math.max(Math.min(face.box.x1, width) - x0, 1);
      const h = Math.max(Math.min(face.box.y1, height) - y0, 1);
      this.#patch ??= Object.assign(document.createElement('canvas'), { width: PATCH, height: PATCH }).getContext(
        '2d',
        { willReadFrequently: true },
      );
      this.#patch.imageSmoothingQuality = 'medium';
      this.#patch.drawImage(picture, x0, y0, w, h, 0, 0, PATCH, PATCH);
      patch = measurePatch(this.#patch.getImageData(0, 0, PATCH, PATCH));
      box = Object.fromEntries(Object.entries(face.box).map(([edge, at]) => [edge, at * scale]));
    }
    const speed = this.#speed(face, now);
    const light = measureSurroundings(small, box);
    return measure({ faces: found, width, height, ...light, patch, speed });
  }

  /** Movement in face widths per second since an earlier look; null while there is none. */
  #speed(face, now) {
    const { places } = this.#look;
    if (!face) {
      places.length = 0;
      return null;
    }
    const width = face.box.x1 - face.box.x0;
    const points = [...face.landmarks, [(face.box.x0 + face.box.x1) / 2, (face.box.y0 + face.box.y1) / 2]];
    while (places.length > 1 && now - places[1].at >= TIMING.movementMs) places.shift();
    const [before] = places;
    places.push({ at: now, points });
    if (!before) return null;
    const moved = points.map(([x, y], i) => Math.hypot(x - before.points[i][0], y - before.points[i][1]));
    const middle = moved.sort((a, b) => a - b)[Math.floor(moved.length / 2)];
    // A look that is due soon after the first one says little about speed.
    const seconds = Math.max(now - before.at, TIMING.movementMs) / 1000;
    const look = this.#look;
    look.speeds = look.speeds.filter(({ at }) => now - at <= TIMING.calmMs);
    look.speeds.push({ at: now, speed: middle / width / seconds });
    return Math.max(...look.speeds.map(({ speed }) => speed));
  }

  /** Shows the most helpful hint, calmly. */
  #hint(findings, measures, now) {
    const look = this.#look;
    const hint = findings[0] ?? 'ready';
    const shown = this.getAttribute('data-hint');
    // Something may be wrong all the time though each look finds something else.
    look.wrongSince = hint === 'ready' ? null : (look.wrongSince ?? now);
    if (look.due !== hint) {
      look.due = hint;
      look.dueSince = now;
    }
    const since = shown && shown !== 'ready' ? look.dueSince : (look.wrongSince ?? look.dueSince);
    const waits = { ready: TIMING.readyAfterMs, moving: TIMING.movingAfterMs };
    const after = waits[hint] ?? TIMING.hintAfterMs;
    if (shown === hint || now - since < after || now - look.shownAt < TIMING.dwellMs) return;
    look.shownAt = now;
    this.setAttribute('data-hint', hint);
    const text = this.#hintText(hint);
    this.#say(text);
    this.#emit('livecheck-hint', { hint, text, findings, measures });
  }

  #hintText(hint) {
    return this.#text(hint === 'ready' && !this.automatic ? 'hint-ready-manual' : `hint-${hint}`);
  }

  /** Keeps good frames, and takes the sharpest when everything has been right for long enough. */
  async #decide(findings, measures, bitmap, now) {
    const look = this.#look;
    if (findings.length > 0) {
      bitmap.close();
      this.#forgetFrames();
      look.goodSince = null;
      look.goodLooks = 0;
      return;
    }
    look.goodSince ??= now;
    look.goodLooks += 1;
    const old = ({ at }) => now - at > TIMING.recentMs;
    for (const { bitmap: past } of look.frames.filter(old)) past.close();
    look.frames = look.frames.filter((frame) => !old(frame));
    look.frames.push({ at: now, sharpness: measures.sharpness, bitmap });
    look.frames.sort((a, b) => b.sharpness - a.sharpness);
    for (const { bitmap: worse } of look.frames.splice(KEPT_FRAMES)) worse.close();
    const steady = now - look.goodSince >= TIMING.steadyMs && look.goodLooks >= TIMING.steadyLooks;
    if (!steady || this.getAttribute('data-hint') !== 'ready' || this.disabled) return;
    const [{ bitmap: best }] = look.frames;
    await this.#take(async () => {
      const { canvasPixels } = FILE_LIMITS;
      return (await encode(best, best.width, best.height, this.#maxBytes, canvasPixels)).blob;
    }, true);
  }

  #forgetFrames() {
    for (const { bitmap } of this.#look?.frames ?? []) bitmap.close();
    if (this.#look) this.#look.frames = [];
  }

  // --- taking

  get #maxBytes() {
    return Number(this.getAttribute('max-bytes')) || FILE_LIMITS.maxBytes;
  }

  async #take(still, automatic) {
    const turn = this.#turn;
    const { virtual } = this;
    this.#show('taking');
    clearTimeout(this.#timer);
    try {
      const photo = await still();
      if (turn === this.#turn) await this.#deliver(photo, { source: 'camera', automatic, virtual });
    } catch {
      if (turn === this.#turn) this.#fail('camera-lost');
    }
  }

  /** A photo of the camera's full size, or the video's frame where the camera gives no better. */
  async #still() {
    const { video } = this.#nodes;
    const [track] = this.#stream.getVideoTracks();
    const frame = await encode(
      video,
      video.videoWidth,
      video.videoHeight,
      FILE_LIMITS.maxBytes,
      FILE_LIMITS.canvasPixels,
    );
    if (!('ImageCapture' in window)) return frame.blob;
    try {
      const camera = new window.ImageCapture(track);
      const { imageWidth, imageHeight } = await within(TIMING.stillMs, camera.getPhotoCapabilities());
      const size =
        imageWidth?.max && imageHeight?.max
          ? { imageWidth: imageWidth.max, imageHeight: imageHeight.max }
          : {};
      const blob = await within(TIMING.stillMs, camera.takePhoto(size));
      const photo = await preparePhoto(blob);
      const larger = photo.width * photo.height > frame.width * frame.height;
      return larger ? blob : frame.blob;
    } catch {
      return frame.blob;
    }
  }

  async #deliver(file, origin) {
    const turn = this.#turn;
    let photo;
    try {
      photo = await preparePhoto(file, { maxBytes: this.#maxBytes });
    } catch {
      if (turn === this.#turn) this.#fail('unreadable');
      return;
    }
    if (turn !== this.#turn) return;
    this.#source = origin.source;
    this.#begin('done');
    this.#photoAddress = URL.createObjectURL(photo.blob);
    this.#nodes.photo.src = this.#photoAddress;
    this.#nodes.photo.alt = this.#text('photo');
    this.#fit(photo.width, photo.height);
    this.#emit('livecheck-photo', { ...photo, ...origin });
  }
}

/** The reason behind what `getUserMedia` or `play` threw. */
function cameraFailure(error) {
  switch (error.name) {
    case 'NotAllowedError':
    case 'SecurityError':
      return 'camera-denied';
    case 'NotFoundError':
    case 'OverconstrainedError':
      return 'camera-missing';
    case 'NotReadableError':
    case 'AbortError':
      return 'camera-busy';
    default:
      return 'camera-unsupported';
  }
}

/** The promise's result, unless it takes too long. */
function within(ms, promise) {
  return Promise.race([
    promise,
    new Promise((_, fail) => {
      setTimeout(() => fail(new Error('too slow')), ms);
    }),
  ]);
}

if (!customElements.get('livecheck-capture')) {
  customElements.define('livecheck-capture', LivecheckCapture);
}
