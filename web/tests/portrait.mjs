/** A drawn person, as an SVG, a photo file, and a video for the browser's camera. Nobody real. */

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Where the face of `person(0, 0, 1)` is; its landmarks as the API orders them. */
export const FACE = Object.freeze({
  bbox: { x0: -100, y0: -120, x1: 100, y1: 140 },
  landmarks: [
    [-42, -12],
    [42, -12],
    [0, 34],
    [-32, 76],
    [32, 76],
  ],
});

/** A head and shoulders around the middle of the face; 200 × 260 units times `scale`. */
function person(x, y, scale, skin = '#d69b76') {
  return `<g transform="translate(${x} ${y}) scale(${scale})">
    <path d="M-230 420c6-130 90-190 230-190s224 60 230 190z" fill="#39566b"/>
    <path d="M-48 110h96v120c-20 34-76 34-96 0z" fill="#b97f5c"/>
    <path d="M-122 30c-22-130 40-190 122-190s144 60 122 190c-8-60-16-90-40-110-50 24-120 24-164 0-24 20-32 50-40 110z" fill="#33241d"/>
    <ellipse cx="-101" cy="22" rx="15" ry="28" fill="#c98c67"/><ellipse cx="101" cy="22" rx="15" ry="28" fill="#c98c67"/>
    <path d="M-100 -10c0-80 40-108 100-108s100 28 100 108c0 90-46 150-100 150s-100-60-100-150z" fill="${skin}"/>
    <path d="M-100-20c4-70 40-104 100-104s96 34 100 104c-16-44-40-62-66-66-40 14-90 14-130-6-2 32-4 52-4 72z" fill="#33241d"/>
    <path d="M-66-40q24-16 46-2M20-42q24-14 46 2" stroke="#33241d" stroke-width="8" fill="none" stroke-linecap="round"/>
    <ellipse cx="-42" cy="-12" rx="19" ry="11" fill="#fff"/><ellipse cx="42" cy="-12" rx="19" ry="11" fill="#fff"/>
    <circle cx="-42" cy="-12" r="9.5" fill="#3b2a20"/><circle cx="42" cy="-12" r="9.5" fill="#3b2a20"/>
    <path d="M-4-6q-8 30-14 42q14 10 32 2" stroke="#a96f4d" stroke-width="5" fill="none" stroke-linecap="round"/>
    <path d="M-32 76q32 22 64 0q-32-10-64 0z" fill="#a14b46" stroke="#8d403c" stroke-width="4" stroke-linejoin="round"/>
  </g>`;
}

/**
 * A picture of drawn people in front of a plain wall.
 *
 * @param {{width?: number, height?: number, people?: {x: number, y: number, scale: number}[],
 *   light?: number}} options  `x` and `y` as shares of the picture, `scale` 1: the face is 200
 *   pixels wide; `light`: 1 as drawn, 0 black
 */
export function svg({ width = 960, height = 720, people = [{ x: 0.5, y: 0.5, scale: 2 }], light = 1 } = {}) {
  const group = people.map(({ x, y, scale }) => person(x * width, y * height, scale)).join('');
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">
    <defs><linearGradient id="wall" x2="0" y2="1"><stop stop-color="#b9c9d2"/><stop offset="1" stop-color="#93a9b6"/></linearGradient></defs>
    <rect width="100%" height="100%" fill="url(#wall)"/>${group}
    <rect width="100%" height="100%" opacity="${1 - light}"/></svg>`;
}

/** Draws an SVG in the browser: as a file of `type`, or its pixels (RGBA) without one. */
async function draw(context, source, type) {
  const page = await context.newPage();
  const text = await page.evaluate(
    async ([markup, kind]) => {
      const image = new Image();
      image.src = `data:image/svg+xml,${encodeURIComponent(markup)}`;
      await image.decode();
      const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight);
      const drawing = canvas.getContext('2d');
      drawing.drawImage(image, 0, 0);
      const bytes = kind
        ? new Uint8Array(await (await canvas.convertToBlob({ type: kind, quality: 0.92 })).arrayBuffer())
        : drawing.getImageData(0, 0, canvas.width, canvas.height).data;
      let binary = '';
      for (let at = 0; at < bytes.length; at += 32_768) {
        binary += String.fromCharCode(...bytes.subarray(at, at + 32_768));
      }
      return btoa(binary);
    },
    [source, type],
  );
  await page.close();
  return Buffer.from(text, 'base64');
}

const drawn = new Map();

/** A file to upload, as Playwright's `setInputFiles` takes it; `page` names the browser. */
export async function file(page, options = {}, type = 'image/jpeg') {
  const source = svg(options);
  const known = `${type} ${source}`;
  if (!drawn.has(known)) drawn.set(known, await draw(page.context(), source, type));
  return { name: `portrait.${type.split('/')[1]}`, mimeType: type, buffer: drawn.get(known) };
}

/**
 * A video for the browser's camera: YUV4MPEG2, one frame per picture, 10 a second, repeated.
 *
 * @param {import('playwright-core').BrowserContext} context  a browser to draw in
 * @param {object[]} pictures  options of `svg`, all of one size
 * @returns {Promise<{path: string, remove: () => Promise<void>}>}
 */
export async function video(context, pictures) {
  const { width = 960, height = 720 } = pictures[0];
  const parts = [Buffer.from(`YUV4MPEG2 W${width} H${height} F10:1 Ip A1:1 C420jpeg\n`)];
  for (const picture of pictures) {
    parts.push(Buffer.from('FRAME\n'), yuv420(await draw(context, svg(picture), ''), width, height));
  }
  const folder = await mkdtemp(join(tmpdir(), 'livecheck-camera-'));
  const path = join(folder, 'camera.y4m');
  await writeFile(path, Buffer.concat(parts));
  return { path, remove: () => rm(folder, { recursive: true, force: true }) };
}

/** RGBA to planar YUV 4:2:0, ITU-R BT.601 in the studio range, which is what the browser expects. */
function yuv420(rgba, width, height) {
  const planes = Buffer.alloc((width * height * 3) / 2);
  const chroma = width * height;
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const at = 4 * (y * width + x);
      const [r, g, b] = [rgba[at], rgba[at + 1], rgba[at + 2]];
      planes[y * width + x] = 16 + 0.257 * r + 0.504 * g + 0.098 * b;
      if (x % 2 === 0 && y % 2 === 0) {
        const to = chroma + (y / 2) * (width / 2) + x / 2;
        planes[to] = 128 - 0.148 * r - 0.291 * g + 0.439 * b;
        planes[to + chroma / 4] = 128 + 0.439 * r - 0.368 * g - 0.071 * b;
      }
    }
  }
  return planes;
}
