/** Pictures as files that the liveness API accepts. */

/** What the liveness API takes, and what a canvas can hold on every phone. */
export const FILE_LIMITS = Object.freeze({
  /** Bytes of the file: the API's 10 MB. */
  maxBytes: 10 * 1024 * 1024,
  /** Pixels of the picture: the API's limit. */
  maxPixels: 64_000_000,
  /** Pixels of a canvas: Safari on phones refuses larger ones. */
  canvasPixels: 16_000_000,
});

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
  const { maxBytes, maxPixels, canvasPixels } = { ...FILE_LIMITS, ...limits };
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
export async function encode(picture, width, height, maxBytes, maxPixels) {
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
