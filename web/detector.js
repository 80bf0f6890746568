/**
 * The product's face detector in the browser: `face-detector.wasm` in a worker, or in the page where
 * workers are not allowed.
 *
 * @typedef {{score: number, box: {x0: number, y0: number, x1: number, y1: number},
 *   landmarks: [number, number][]}} Face  in pixels of the picture; landmarks: left eye, right eye,
 *   nose, left and right mouth corner as seen in the picture
 */

/** The longer side of the picture that the network sees. */
const SIDE = 256;
/** Sides of that picture are multiples of this. */
const CELL = 32;
const FLOATS = 15;
/** How long a worker may take to start before the page does the work itself, milliseconds. */
const PATIENCE_MS = 4000;

let loading = null;

/** Loads the detector once per page. Rejects where WebAssembly with SIMD is not available. */
export function loadDetector() {
  loading ??= load().catch((error) => {
    loading = null;
    throw error;
  });
  return loading;
}

async function load() {
  const address = new URL('./face-detector.wasm', import.meta.url);
  const response = await fetch(address, { credentials: 'same-origin' });
  if (!response.ok) throw new Error(`${address} answered ${response.status}`);
  const module = await WebAssembly.compile(await response.arrayBuffer());
  const run = await inWorker(module).catch(() => inPage(module));
  return new Detector(run);
}

async function inPage(module) {
  const { instantiate } = await import('./detector-worker.js');
  const detect = await instantiate(module);
  return async (rgba, width, height) => detect(rgba, width, height);
}

function inWorker(module) {
  return new Promise((resolve, reject) => {
    const worker = new Worker(trusted(new URL('./detector-worker.js', import.meta.url)), { type: 'module' });
    const waiting = new Map();
    let next = 0;
    const late = setTimeout(() => fail(new Error('the worker did not start')), PATIENCE_MS);
    const fail = (error) => {
      clearTimeout(late);
      worker.terminate();
      reject(error);
      for (const { no } of waiting.values()) no(error);
    };
    worker.onerror = (event) => {
      event.preventDefault();
      fail(new Error(event.message || 'the worker failed'));
    };
    worker.onmessage = ({ data }) => {
      if (data.failed) {
        fail(new Error(data.failed));
      } else if (data.ready) {
        clearTimeout(late);
        resolve(
          (rgba, width, height) =>
            new Promise((yes, no) => {
              next += 1;
              waiting.set(next, { yes, no });
              worker.postMessage({ id: next, rgba, width, height }, [rgba.buffer]);
            }),
        );
      } else {
        waiting.get(data.id)?.yes(data.faces);
        waiting.delete(data.id);
      }
    };
    worker.postMessage({ module });
  });
}

let policy;
/** The address as a page under Trusted Types wants it. */
function trusted(url) {
  if (!globalThis.trustedTypes) return url;
  policy ??= globalThis.trustedTypes.createPolicy('livecheck-capture', {
    createScriptURL: (text) => text,
  });
  return policy.createScriptURL(url.href);
}

class Detector {
  #run;
  #context = null;

  constructor(run) {
    this.#run = run;
  }

  /**
   * Finds the faces in a picture, best first.
   *
   * @param {CanvasImageSource} picture
   * @param {number} width  its size, pixels
   * @param {number} height
   * @returns {Promise<{faces: Face[], small: ImageData, scale: number}>}  `small`: what the network
   *   saw, `scale` times the size of the picture
   */
  async detect(picture, width, height) {
    const scale = SIDE / Math.max(width, height);
    const [inner, outer] = [1, CELL].map((step) =>
      [width, height].map((side) => Math.max(step, Math.ceil((side * scale) / step) * step)),
    );
    this.#context ??= document.createElement('canvas').getContext('2d', { willReadFrequently: true });
    const context = this.#context;
    if (context.canvas.width !== outer[0] || context.canvas.height !== outer[1]) {
      [context.canvas.width, context.canvas.height] = outer;
    }
    context.fillRect(0, 0, ...outer);
    context.imageSmoothingQuality = 'medium';
    context.drawImage(picture, 0, 0, ...inner);
    const { data } = context.getImageData(0, 0, ...outer);
    const small = context.getImageData(0, 0, ...inner);
    const found = await this.#run(data, ...outer);
    const faces = [];
    for (let at = 0; at < found.length; at += FLOATS) {
      const [score, ...places] = found.subarray(at, at + FLOATS);
      const [x0, y0, x1, y1, ...points] = places.map((place) => place / scale);
      const landmarks = [0, 2, 4, 6, 8].map((point) => [points[point], points[point + 1]]);
      faces.push({ score, box: { x0, y0, x1, y1 }, landmarks });
    }
    return { faces, small, scale };
  }
}
