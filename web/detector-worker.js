/**
 * Runs `face-detector.wasm`: as a worker, or imported where workers are not allowed. It imports
 * nothing, so that a bundler may copy it as it is.
 */

/** Floats per face in the module's memory: score, box, five landmarks. */
const FLOATS = 15;

/**
 * @param {WebAssembly.Module} module
 * @returns {Promise<(rgba: Uint8ClampedArray, width: number, height: number) => Float32Array>}
 */
export async function instantiate(module) {
  const { exports } = await WebAssembly.instantiate(module, {});
  return (rgba, width, height) => {
    const picture = exports.picture(rgba.length);
    new Uint8Array(exports.memory.buffer, picture, rgba.length).set(rgba);
    const count = exports.detect(width, height);
    return new Float32Array(exports.memory.buffer, exports.faces(), FLOATS * count).slice();
  };
}

const isWorker = typeof WorkerGlobalScope !== 'undefined' && self instanceof WorkerGlobalScope;
if (isWorker) {
  let ready;
  self.onmessage = async ({ data }) => {
    if (data.module) {
      ready = instantiate(data.module);
      ready.then(
        () => self.postMessage({ ready: true }),
        (error) => self.postMessage({ failed: String(error) }),
      );
      return;
    }
    const detect = await ready;
    const faces = detect(data.rgba, data.width, data.height);
    self.postMessage({ id: data.id, faces, rgba: data.rgba }, [faces.buffer, data.rgba.buffer]);
  };
}
