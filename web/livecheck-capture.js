/**
 * `<livecheck-capture>`: takes one selfie, with the camera or from a file, and hands it over as a
 * file that the liveness API accepts. It sends nothing anywhere. `README.md` beside this file
 * documents attributes, methods, events, parts and custom properties.
 *
 * The file needs no other file, no build step and no inline style or script, so that it runs
 * under a strict content security policy (`img-src blob:` is all it asks for).
 */

/** What the liveness API takes, and what a canvas can hold on every phone. */
export const LIMITS = Object.freeze({
  /** Bytes of the file: the API's 10 MB. */
  maxBytes: 10 * 1024 * 1024,
  /** Pixels of the picture: the API's limit. */
  maxPixels: 64_000_000,
  /** Pixels of a canvas: Safari on phones refuses larger ones. */
  canvasPixels: 16_000_000,
});

/**
 * When a hint is given. Luma and shares run from 0 to 1. The figures were set by eye on camera
 * pictures and drawn ones: hints are advice, the server decides.
 */
export const HINT_RULES = Object.freeze({
  /** Mean luma of the oval. */
  dark: 0.2,
  bright: 0.88,
  /** The surroundings are this much lighter than an oval that is darker than `backlitBelow`. */
  backlit: 0.3,
  backlitBelow: 0.38,
  /** Share of the oval that has the colour of skin. */
  face: 0.08,
  close: 0.35,
  /** Mean change of luma between two looks, less the change of the exposure. */
  moving: 0.04,
  /** Variance of the Laplacian of 8-bit luma, the oval drawn 96 pixels wide. */
  blurred: 12,
  /** Width of a face found by the browser, over that of the oval. */
  faceNarrow: 0.6,
  faceWide: 1.5,
});

/** The texts of the element, by name; set the property `texts` to replace some or all. */
export const TEXTS = Object.freeze({
  start: 'Start the camera',
  take: 'Take the photo',
  upload: 'Upload a photo',
  again: 'Take another photo',
  cancel: 'Stop the camera',
  file: 'Photo file',
  video: 'Picture of your camera',
  photo: 'The photo you took',
  idle: 'Use your camera, or upload a photo.',
  starting: 'Waiting for the camera. Your browser may ask you to allow it.',
  taking: 'Taking the photo…',
  preparing: 'Preparing the photo…',
  done: 'Photo taken.',
  'hint-dark': 'More light, please: face a window or a lamp.',
  'hint-bright': 'Too bright: turn away from the strong light.',
  'hint-backlit': 'The light is behind you: turn around, so that it falls on your face.',
  'hint-several': 'Only one face, please: be alone in the picture.',
  'hint-face': 'Put your face into the oval.',
  'hint-closer': 'Come closer, until your face fills the oval.',
  'hint-back': 'Move back a little.',
  'hint-still': 'Hold still.',
  'hint-blurred': 'The picture is blurred: hold still, or wipe the lens.',
  'hint-aim': 'Fill the oval with your face and look at the camera.',
  'hint-ready': 'Good. Take the photo.',
  'camera-denied':
    'The camera is not allowed here. Allow it in the address bar of your browser, or upload a photo.',
  'camera-missing': 'No camera was found. Connect one, or upload a photo.',
  'camera-busy': 'Another program is using the camera. Close it and try again, or upload a photo.',
  'camera-unsupported':
    'This browser gives no camera to this page (it needs https). Upload a photo instead.',
  'camera-lost': 'The camera stopped. Start it again, or upload a photo.',
  unreadable:
    'This browser cannot open that file as a picture. Choose a JPEG, PNG or WebP photo, or use the camera.',
});

/** Seconds and milliseconds of the live view. */
const TIMING = Object.freeze({
  /** Between two looks at the video. */
  lookMs: 200,
  /** A hint must be due at this many looks in a row before it is shown. */
  steadyLooks: 2,
  /** A hint stays this long, so that it can be read, and heard. */
  dwellMs: 1200,
  /** How long the camera may take to make a still photo before the video's frame is used. */
  stillMs: 5000,
});

/** Widths that the video is drawn at for measuring, pixels. */
const LOOK = Object.freeze({ frame: 160, oval: 96 });

// ---------------------------------------------------------------------------------------------
// Measuring

/**
 * The guide: an upright oval in the middle of the picture.
 *
 * @param {number} width  of the picture, any unit
 * @param {number} height
 * @returns {{cx: number, cy: number, rx: number, ry: number}} in the same unit
 */
export function ovalIn(width, height) {
  const ry = Math.min(0.43 * height, (0.4 * width) / 0.75);
  return { cx: width / 2, cy: height / 2, rx: ry * 0.75, ry };
}

/** ITU-R BT.601 luma and chroma, 0 to 255, of the pixel that starts at `at`. */
function ycc(data, at) {
  const r = data[at];
  const g = data[at + 1];
  const b = data[at + 2];
  return [
    0.299 * r + 0.587 * g + 0.114 * b,
    128 - 0.1687 * r - 0.3313 * g + 0.5 * b,
    128 + 0.5 * r - 0.4187 * g - 0.0813 * b,
  ];
}

/** Chroma of skin of every tone: the box of Chai and Ngan (1999), in Cb and Cr. */
function isSkin(y, cb, cr) {
  return y > 30 && cb >= 77 && cb <= 127 && cr >= 133 && cr <= 173;
}

/**
 * Measures one look at the video.
 *
 * @param {ImageData} frame     the whole picture, small
 * @param {ImageData} oval      the bounding box of the oval, small
 * @param {Float32Array|null} previous  `luma` of the look before, of the same size
 * @returns {{brightness: number, surroundings: number, motion: number|null, sharpness: number,
 *   skin: number|null, areas: number|null, luma: Float32Array}}
 *   `skin` and `areas` are null where colour says nothing: a grey picture, or surroundings that
 *   have the colour of skin themselves.
 */
export function measure(frame, oval, previous) {
  const { width, height, data } = frame;
  const guide = ovalIn(width, height);
  const luma = new Float32Array(width * height);
  const skin = new Uint8Array(width * height);
  let [around, aroundLuma, aroundSkin, colour] = [0, 0, 0, 0];
  for (let y = 0, i = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1, i += 1) {
      const [value, cb, cr] = ycc(data, 4 * i);
      luma[i] = value / 255;
      skin[i] = isSkin(value, cb, cr) ? 1 : 0;
      colour += Math.abs(cb - 128) + Math.abs(cr - 128);
      const inside = ((x + 0.5 - guide.cx) / guide.rx) ** 2 + ((y + 0.5 - guide.cy) / guide.ry) ** 2;
      // The neck and the shoulders below the oval are no surroundings.
      if (inside > 1.3 && y < guide.cy) {
        around += 1;
        aroundLuma += luma[i];
        aroundSkin += skin[i];
      }
    }
  }
  const face = measureOval(oval);
  const colourful = colour / (width * height) > 6;
  const coloursTell = colourful && aroundSkin / Math.max(around, 1) < 0.5;
  return {
    brightness: face.brightness,
    surroundings: aroundLuma / Math.max(around, 1),
    motion: previous && previous.length === luma.length ? motionBetween(previous, luma) : null,
    sharpness: face.sharpness,
    skin: coloursTell ? face.skin : null,
    areas: coloursTell ? faceLikeAreas(skin, luma, width, height) : null,
    luma,
  };
}

/** Brightness, skin and sharpness inside the oval that touches the borders of the picture. */
function measureOval({ width, height, data }) {
  const luma = new Float32Array(width * height);
  const inside = (x, y) => ((2 * x + 1) / width - 1) ** 2 + ((2 * y + 1) / height - 1) ** 2 < 1;
  let [count, sum, skin] = [0, 0, 0];
  for (let y = 0, i = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1, i += 1) {
      const [value, cb, cr] = ycc(data, 4 * i);
      luma[i] = value;
      if (inside(x, y)) {
        count += 1;
        sum += value;
        skin += isSkin(value, cb, cr) ? 1 : 0;
      }
    }
  }
  let [edges, total, squares] = [0, 0, 0];
  for (let y = 1; y < height - 1; y += 1) {
    for (let x = 1; x < width - 1; x += 1) {
      if (inside(x, y)) {
        const i = y * width + x;
        const edge = luma[i - 1] + luma[i + 1] + luma[i - width] + luma[i + width] - 4 * luma[i];
        edges += 1;
        total += edge;
        squares += edge * edge;
      }
    }
  }
  return {
    brightness: sum / Math.max(count, 1) / 255,
    skin: skin / Math.max(count, 1),
    sharpness: squares / Math.max(edges, 1) - (total / Math.max(edges, 1)) ** 2,
  };
}

/** Mean absolute change, less what the exposure changed everywhere. */
function motionBetween(before, after) {
  let shift = 0;
  for (let i = 0; i < after.length; i += 1) shift += after[i] - before[i];
  shift /= after.length;
  let change = 0;
  for (let i = 0; i < after.length; i += 1) change += Math.abs(after[i] - before[i] - shift);
  return change / after.length;
}

/**
 * How many areas of skin colour have the size, the shape and the inner contrast of a face. Hands
 * may count too, and a face over bare shoulders may not: good for a hint, for nothing more.
 */
function faceLikeAreas(skin, luma, width, height) {
  const seen = new Uint8Array(skin.length);
  const found = [];
  for (let start = 0; start < skin.length; start += 1) {
    if (!skin[start] || seen[start]) continue;
    const stack = [start];
    seen[start] = 1;
    let [area, x0, x1, y0, y1, sum, squares] = [0, width, 0, height, 0, 0, 0];
    while (stack.length > 0) {
      const i = stack.pop();
      const x = i % width;
      const y = (i - x) / width;
      area += 1;
      sum += luma[i];
      squares += luma[i] ** 2;
      x0 = Math.min(x0, x);
      x1 = Math.max(x1, x);
      y0 = Math.min(y0, y);
      y1 = Math.max(y1, y);
      for (const next of [
        x > 0 ? i - 1 : i,
        x < width - 1 ? i + 1 : i,
        y > 0 ? i - width : i,
        y < height - 1 ? i + width : i,
      ]) {
        if (skin[next] && !seen[next]) {
          seen[next] = 1;
          stack.push(next);
        }
      }
    }
    const [w, h] = [x1 - x0 + 1, y1 - y0 + 1];
    const contrast = Math.sqrt(Math.max(squares / area - (sum / area) ** 2, 0));
    const faceLike =
      area >= 0.015 * skin.length &&
      h >= 0.8 * w &&
      h <= 2.4 * w &&
      area >= 0.5 * w * h &&
      contrast >= 0.02;
    if (faceLike) found.push(area);
  }
  const largest = Math.max(0, ...found);
  return found.filter((area) => area >= 0.3 * largest).length;
}

/**
 * The hint that a look calls for, the most helpful first.
 *
 * @param {ReturnType<typeof measure> & {faces?: number, faceWidth?: number|null}} look
 *   `faces` and `faceWidth` (over the oval's width) come from the browser's own face detector
 *   where it has one.
 * @returns {string} a name; its text is `TEXTS['hint-' + name]`
 */
export function hintFor(look) {
  const rules = HINT_RULES;
  if (look.brightness < rules.dark) return 'dark';
  if (look.brightness > rules.bright) return 'bright';
  if (
    look.brightness < rules.backlitBelow &&
    look.surroundings - look.brightness > rules.backlit
  ) {
    return 'backlit';
  }
  const faces = look.faces ?? look.areas;
  if (faces !== null && faces > 1) return 'several';
  if (look.faces !== undefined) {
    if (look.faces === 0) return 'face';
    if (look.faceWidth < rules.faceNarrow) return 'closer';
    if (look.faceWidth > rules.faceWide) return 'back';
  } else if (look.skin !== null) {
    if (look.skin < rules.face) return 'face';
    if (look.skin < rules.close) return 'closer';
  }
  if (look.motion !== null && look.motion > rules.moving) return 'still';
  if (look.sharpness < rules.blurred) return 'blurred';
  return look.faces === undefined && look.skin === null ? 'aim' : 'ready';
}

// ---------------------------------------------------------------------------------------------
// Files

/** The format that the first bytes announce: `jpeg`, `png`, `webp`, or null for any other. */
export function sniff(bytes) {
  const text = (from, to) => String.fromCharCode(...bytes.subarray(from, to));
  if (bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff) return 'jpeg';
  if (text(0, 8) === '\x89PNG\r\n\x1a\n') return 'png';
  if (text(0, 4) === 'RIFF' && text(8, 12) === 'WEBP') return 'webp';
  return null;
}

/**
 * Makes a file that the liveness API takes out of any picture the browser can open. A JPEG, PNG
 * or WebP within the limits passes untouched, to the byte; anything else (HEIC where the browser
 * knows it, AVIF, GIF, BMP, too many bytes or pixels) becomes a JPEG.
 *
 * @param {Blob} file
 * @param {{maxBytes?: number, maxPixels?: number, canvasPixels?: number}} [limits]
 * @returns {Promise<{blob: Blob, width: number, height: number, converted: boolean}>}
 * @throws {Error} when the browser cannot open the file as a picture
 */
export async function preparePhoto(file, limits = {}) {
  const { maxBytes, maxPixels, canvasPixels } = { ...LIMITS, ...limits };
  const format = sniff(new Uint8Array(await file.slice(0, 16).arrayBuffer()));
  const address = URL.createObjectURL(file);
  try {
    const image = new Image();
    image.src = address;
    await image.decode();
    const [width, height] = [image.naturalWidth, image.naturalHeight];
    if (!width || !height) throw new Error('the picture has no size');
    if (format && file.size <= maxBytes && width * height <= maxPixels) {
      const type = `image/${format}`;
      const blob = file.type === type ? file : file.slice(0, file.size, type);
      return { blob, width, height, converted: false };
    }
    const largest = Math.min(maxPixels, canvasPixels);
    return { ...(await encode(image, width, height, maxBytes, largest)), converted: true };
  } finally {
    URL.revokeObjectURL(address);
  }
}

/** Draws a picture and writes it as a JPEG, smaller and smaller until it fits. */
async function encode(picture, width, height, maxBytes, maxPixels) {
  let scale = Math.min(1, Math.sqrt(maxPixels / (width * height)));
  for (;;) {
    const canvas = document.createElement('canvas');
    canvas.width = Math.max(1, Math.floor(width * scale));
    canvas.height = Math.max(1, Math.floor(height * scale));
    const context = canvas.getContext('2d');
    // What is transparent becomes white, as on paper.
    context.fillStyle = '#fff';
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.imageSmoothingQuality = 'high';
    context.drawImage(picture, 0, 0, canvas.width, canvas.height);
    for (const quality of [0.95, 0.9, 0.82]) {
      const blob = await new Promise((done) => canvas.toBlob(done, 'image/jpeg', quality));
      if (!blob) throw new Error('the picture cannot be drawn');
      if (blob.size <= maxBytes) return { blob, width: canvas.width, height: canvas.height };
    }
    if (canvas.width === 1 && canvas.height === 1) throw new Error('the limit cannot be met');
    scale *= 0.8;
  }
}

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
  static observedAttributes = ['disabled'];

  #nodes = {};
  #state = 'idle';
  #texts = TEXTS;
  #stream = null;
  #timer = 0;
  #look = { luma: null, due: '', looks: 0, shownAt: 0, detector: null, canvases: null };
  #photoAddress = '';
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
    this.#show(this.#state);
  }

  disconnectedCallback() {
    this.reset();
  }

  attributeChangedCallback() {
    this.#show(this.#state);
  }

  /** `idle`, `starting`, `live`, `taking`, `preparing` or `done`. */
  get state() {
    return this.#state;
  }

  /** Texts by name; those not given keep the English ones of `TEXTS`. */
  get texts() {
    return { ...this.#texts };
  }

  set texts(texts) {
    this.#texts = { ...TEXTS, ...texts };
    this.#label();
    this.#show(this.#state);
  }

  /** Asks for the camera and shows its picture. Resolves when it is live, or has failed. */
  async start() {
    if (this.disabled || ['starting', 'live', 'taking', 'preparing'].includes(this.#state)) return;
    const turn = this.#begin('starting');
    if (!navigator.mediaDevices?.getUserMedia) {
      this.#fail('camera-unsupported');
      return;
    }
    // The video of a camera that also takes still photos need not be large.
    const stills = 'ImageCapture' in window;
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
    const turn = this.#turn;
    this.#show('taking');
    clearTimeout(this.#timer);
    try {
      const photo = await this.#still();
      if (turn === this.#turn) await this.#deliver(photo, 'camera');
    } catch {
      if (turn === this.#turn) this.#fail('camera-lost');
    }
  }

  /** Takes a file as though the user had chosen it. */
  async use(file) {
    if (this.disabled) return;
    this.#begin('preparing');
    await this.#deliver(file, 'file');
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
      event.preventDefault();
      nodes.stage.classList.add('over');
    });
    nodes.stage.addEventListener('dragleave', () => nodes.stage.classList.remove('over'));
    nodes.stage.addEventListener('drop', (event) => {
      event.preventDefault();
      nodes.stage.classList.remove('over');
      const [file] = event.dataTransfer.files;
      if (file) this.use(file);
    });
    root.append(nodes.stage, nodes.hint, nodes.error, nodes.controls);
    this.#label();
  }

  #label() {
    const { start, take, again, upload, cancel, file, video } = this.#nodes;
    for (const [name, node] of Object.entries({ start, take, again, upload, cancel })) {
      node.textContent = this.#texts[name];
    }
    file.setAttribute('aria-label', this.#texts.file);
    video.setAttribute('aria-label', this.#texts.video);
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
      nodes[name].toggleAttribute('hidden', !VISIBLE[state].includes(name));
    }
    for (const name of ['start', 'take', 'again', 'upload', 'cancel']) {
      nodes[name].disabled = this.disabled || BUSY.includes(state);
    }
    if (state !== 'live') {
      this.removeAttribute('data-hint');
      this.#say(this.#texts[state] ?? '');
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
    const text = this.#texts[reason];
    this.#nodes.error.textContent = text;
    this.#nodes.error.hidden = false;
    this.#emit('livecheck-error', { reason, text });
  }

  #emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
  }

  /** Looks at the video again and again, and says what would help. */
  async #watch() {
    const turn = this.#turn;
    const look = this.#look;
    Object.assign(look, { luma: null, due: '', looks: 0, shownAt: -Infinity });
    if (this.getAttribute('hints') === 'off') {
      this.#say(this.#texts['hint-aim']);
      return;
    }
    look.canvases ??= [LOOK.frame, LOOK.oval].map(() =>
      document.createElement('canvas').getContext('2d', { willReadFrequently: true }),
    );
    look.detector ??= 'FaceDetector' in window ? new window.FaceDetector({ fastMode: true }) : null;
    const again = async () => {
      if (turn !== this.#turn || this.#state !== 'live') return;
      if (!document.hidden && this.#nodes.video.readyState >= 2) {
        const seen = this.#measure();
        await this.#detect(seen);
        if (turn !== this.#turn || this.#state !== 'live') return;
        this.#hint(hintFor(seen), seen);
      }
      this.#timer = setTimeout(again, TIMING.lookMs);
    };
    this.#say(this.#texts['hint-aim']);
    await again();
  }

  #measure() {
    const { video } = this.#nodes;
    const [width, height] = [video.videoWidth, video.videoHeight];
    const [frame, oval] = this.#look.canvases;
    const draw = (context, target, x, y, w, h) => {
      const size = [target, Math.max(1, Math.round((target * h) / w))];
      if (context.canvas.width !== size[0] || context.canvas.height !== size[1]) {
        [context.canvas.width, context.canvas.height] = size;
      }
      context.drawImage(video, x, y, w, h, 0, 0, ...size);
      return context.getImageData(0, 0, ...size);
    };
    const { cx, cy, rx, ry } = ovalIn(width, height);
    const seen = measure(
      draw(frame, LOOK.frame, 0, 0, width, height),
      draw(oval, LOOK.oval, cx - rx, cy - ry, 2 * rx, 2 * ry),
      this.#look.luma,
    );
    this.#look.luma = seen.luma;
    return seen;
  }

  /** Adds what the browser's own face detector sees, where there is one. */
  async #detect(seen) {
    const look = this.#look;
    if (!look.detector) return;
    const { video } = this.#nodes;
    try {
      const found = await look.detector.detect(video);
      const widest = Math.max(0, ...found.map(({ boundingBox }) => boundingBox.width));
      seen.faces = found.length;
      seen.faceWidth = widest / (2 * ovalIn(video.videoWidth, video.videoHeight).rx);
    } catch {
      look.detector = null;
    }
  }

  #hint(hint, seen) {
    const look = this.#look;
    look.looks = look.due === hint ? look.looks + 1 : 1;
    look.due = hint;
    const now = performance.now();
    if (
      look.looks < TIMING.steadyLooks ||
      this.getAttribute('data-hint') === hint ||
      now - look.shownAt < TIMING.dwellMs
    ) {
      return;
    }
    look.shownAt = now;
    this.setAttribute('data-hint', hint);
    const text = this.#texts[`hint-${hint}`];
    this.#say(text);
    const { luma, ...measures } = seen;
    this.#emit('livecheck-hint', { hint, text, measures });
  }

  /** A photo of the camera's full size, or the video's frame where the camera gives no better. */
  async #still() {
    const { video } = this.#nodes;
    const [track] = this.#stream.getVideoTracks();
    const frame = await encode(
      video,
      video.videoWidth,
      video.videoHeight,
      LIMITS.maxBytes,
      LIMITS.canvasPixels,
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

  async #deliver(file, source) {
    const turn = this.#turn;
    let photo;
    try {
      photo = await preparePhoto(file, {
        maxBytes: Number(this.getAttribute('max-bytes')) || LIMITS.maxBytes,
      });
    } catch {
      if (turn === this.#turn) this.#fail('unreadable');
      return;
    }
    if (turn !== this.#turn) return;
    this.#begin('done');
    this.#photoAddress = URL.createObjectURL(photo.blob);
    this.#nodes.photo.src = this.#photoAddress;
    this.#nodes.photo.alt = this.#texts.photo;
    this.#fit(photo.width, photo.height);
    this.#emit('livecheck-photo', { ...photo, source });
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
