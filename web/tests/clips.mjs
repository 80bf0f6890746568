/**
 * Clips for the browser's camera: the drawn portrait (`sample.jpg`, made by our own code) moved,
 * turned, darkened and so on. Nobody real.
 */

import { open, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Pictures per second. */
export const RATE = 10;

/** The face in `sample.jpg`: middle and width. */
const FACE = { x: 360, y: 430, width: 300 };

/**
 * One picture of a clip.
 *
 * @typedef {{people?: {x?: number, y?: number, size?: number, roll?: number, yaw?: number}[],
 *   light?: number, blur?: number, wall?: string, good?: boolean, unmarked?: boolean}} Picture  `x`, `y`: the middle of the
 *   face as a share of the picture; `size`: the face's width as a share of the picture's height;
 *   `good`: marked by a white corner, which the test reads as the moment when everything fits
 */

/** Runs in a browser: draws pictures, returns them as base64 of RGBA. */
async function paint({ sample, pictures, width, height, face, mark }) {
  const bytes = Uint8Array.from(atob(sample), (char) => char.charCodeAt(0));
  const portrait = await createImageBitmap(new Blob([bytes], { type: 'image/jpeg' }));
  const sprites = new Map();
  /** The head turned by an angle: each point moves by its depth, the nose most. */
  const turned = (yaw) => {
    if (!sprites.has(yaw)) {
      const canvas = new OffscreenCanvas(portrait.width, portrait.height);
      const context = canvas.getContext('2d');
      context.drawImage(portrait, 0, 0);
      if (yaw) {
        const from = context.getImageData(0, 0, canvas.width, canvas.height);
        const to = context.createImageData(canvas.width, canvas.height);
        const angle = (yaw * Math.PI) / 180;
        const radius = 0.62 * face.width;
        const depth = (u, v) => {
          const ball = Math.sqrt(Math.max(1 - u * u - 0.45 * v * v, 0));
          return ball + 0.3 * Math.exp(-((u / 0.16) ** 2) - ((v - 0.12) / 0.22) ** 2);
        };
        for (let y = 0; y < canvas.height; y += 1) {
          for (let x = 0; x < canvas.width; x += 1) {
            const [ox, v] = [(x - face.x) / radius, (y - face.y) / radius];
            const inside = Math.min(Math.max(1.5 * (1 - Math.hypot(ox, 0.72 * v)), 0), 1);
            let u = ox;
            for (let i = 0; i < 6; i += 1) u = (ox - Math.sin(angle) * depth(u, v)) / Math.cos(angle);
            const sx = Math.round(face.x + radius * (ox + (u - ox) * inside));
            const clamped = Math.min(Math.max(sx, 0), canvas.width - 1);
            const [a, b] = [4 * (y * canvas.width + x), 4 * (y * canvas.width + clamped)];
            for (let c = 0; c < 4; c += 1) to.data[a + c] = from.data[b + c];
          }
        }
        context.putImageData(to, 0, 0);
      }
      sprites.set(yaw, canvas);
    }
    return sprites.get(yaw);
  };
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext('2d', { willReadFrequently: true });
  const wall = (() => {
    const one = new OffscreenCanvas(1, 1).getContext('2d');
    one.drawImage(portrait, 8, 8, 40, 40, 0, 0, 1, 1);
    const [r, g, b] = one.getImageData(0, 0, 1, 1).data;
    return `rgb(${r} ${g} ${b})`;
  })();
  return pictures.map((picture) => {
    context.filter = picture.blur ? `blur(${picture.blur}px)` : 'none';
    context.fillStyle = picture.wall ?? wall;
    context.fillRect(0, 0, width, height);
    const people = picture.people ?? [{}];
    for (const { x = 0.5, y = 0.5, size = 0.5, roll = 0, yaw = 0 } of people) {
      const scale = (size * height) / face.width;
      context.save();
      if (people.length > 1) {
        context.beginPath();
        context.rect((x - 0.25) * width, 0, 0.5 * width, height);
        context.clip();
      }
      if (picture.wall) {
        // Only the person: head, hair and shoulders.
        context.beginPath();
        context.ellipse(x * width, (y - 0.02) * height, scale * 200, scale * 250, 0, 0, 7);
        context.rect(x * width - scale * 300, y * height + scale * 200, scale * 600, scale * 300);
        context.clip();
      }
      context.translate(x * width, y * height);
      context.rotate((roll * Math.PI) / 180);
      context.scale(scale, scale);
      const sprite = turned(yaw);
      const [w, h] = [sprite.width, sprite.height];
      context.translate(-face.x, -face.y);
      if (!picture.wall) {
        // The wall and the shoulders go on beyond the portrait.
        const far = 4000;
        for (const [fromX, fromW, toX, toW] of [
          [0, 2, -far, far],
          [0, w, 0, w],
          [w - 2, 2, w, far],
        ]) {
          context.drawImage(sprite, fromX, 0, fromW, 2, toX, -far, toW, far + 1);
          context.drawImage(sprite, fromX, 0, fromW, h, toX - 1, 0, toW + 2, h);
          context.drawImage(sprite, fromX, h - 2, fromW, 2, toX, h - 1, toW, far);
        }
      }
      context.drawImage(sprite, 0, 0);
      context.restore();
    }
    context.filter = 'none';
    if (picture.light !== undefined) {
      context.fillStyle = `rgb(0 0 0 / ${1 - picture.light})`;
      if (picture.wall) {
        const [{ x = 0.5, y = 0.5, size = 0.5 }] = people;
        context.beginPath();
        context.ellipse(x * width, y * height, size * height * 0.72, size * height * 0.95, 0, 0, 7);
        context.fill();
      } else {
        context.fillRect(0, 0, width, height);
      }
    }
    if (!picture.unmarked) {
      context.fillStyle = picture.good ? '#fff' : '#000';
      context.fillRect(0, height - mark, mark, mark);
    }
    const { data } = context.getImageData(0, 0, width, height);
    let text = '';
    for (let at = 0; at < data.length; at += 32_768) {
      text += String.fromCharCode(...data.subarray(at, at + 32_768));
    }
    return btoa(text);
  });
}

/** Side of the mark in the corner, pixels. */
export const MARK = 16;

/**
 * Writes a clip as YUV4MPEG2.
 *
 * @param {import('playwright-core').Page} page  of a browser to draw in, at any address
 * @param {Picture[]} pictures
 */
export async function film(page, pictures, { width = 640, height = 480 } = {}) {
  const sample = (await readFile(new URL('../sample.jpg', import.meta.url))).toString('base64');
  const folder = await mkdtemp(join(tmpdir(), 'livecheck-clip-'));
  const path = join(folder, 'clip.y4m');
  const out = await open(path, 'w');
  await out.write(`YUV4MPEG2 W${width} H${height} F${RATE}:1 Ip A1:1 C420jpeg\n`);
  // Equal pictures are drawn once.
  const known = new Map();
  const fresh = pictures.filter((picture) => !known.has(JSON.stringify(picture)) && known.set(JSON.stringify(picture)));
  for (let at = 0; at < fresh.length; at += 8) {
    const some = fresh.slice(at, at + 8);
    const drawn = await page.evaluate(paint, { sample, pictures: some, width, height, face: FACE, mark: MARK });
    for (const [i, text] of drawn.entries()) {
      known.set(JSON.stringify(some[i]), yuv420(Buffer.from(text, 'base64'), width, height));
    }
  }
  for (const picture of pictures) {
    await out.write('FRAME\n');
    await out.write(known.get(JSON.stringify(picture)));
  }
  await out.close();
  return { path, remove: () => rm(folder, { recursive: true, force: true }) };
}

/** RGBA to planar YUV 4:2:0, ITU-R BT.601 in the studio range, which is what the browser expects. */
export function yuv420(rgba, width, height) {
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

const held = (picture, seconds) => Array(Math.round(seconds * RATE)).fill(picture);
const between = (seconds, draw) =>
  Array.from({ length: Math.round(seconds * RATE) }, (_, i) => draw(i / (seconds * RATE)));
const good = (more = {}) => held({ good: true, ...more }, 6);
const one = (person) => ({ people: [person] });
const swing = (t) => 0.5 + 0.1 * Math.sin(t * Math.PI * 8);

/** The twenty clips: `taken` says what must happen, `hint` which hint must be shown. */
export const CLIPS = Object.freeze([
  { name: 'a face that fits from the start', taken: true, pictures: good() },
  {
    name: 'a face that comes in from the side and stops',
    taken: true,
    pictures: [...held(one({ x: -0.6 }), 0.8), ...between(1, (t) => one({ x: -0.2 + 0.7 * t })), ...good()],
  },
  { name: 'a face that comes closer', taken: true, hint: 'face_small', pictures: [...held(one({ size: 0.22 }), 1.5), ...good()] },
  { name: 'a face that moves back', taken: true, hint: 'face_too_close', pictures: [...held(one({ size: 0.8 }), 1.5), ...good()] },
  { name: 'the light is switched on', taken: true, hint: 'dark', pictures: [...held({ light: 0.2 }, 1.5), ...good()] },
  { name: 'a turned head that turns to the camera', taken: true, hint: 'pose_yaw', pictures: [...held(one({ yaw: 35 }), 1.5), ...good()] },
  { name: 'a tilted head that is held upright', taken: true, hint: 'pose_roll', pictures: [...held(one({ roll: 34 }), 1.5), ...good()] },
  {
    name: 'a second person who leaves',
    taken: true,
    hint: 'second_face',
    pictures: [...held({ people: [{ x: 0.27, size: 0.4 }, { x: 0.75, size: 0.4 }] }, 1.5), ...good()],
  },
  { name: 'a face that moves, then holds still', taken: true, hint: 'moving', pictures: [...between(2, (t) => one({ x: swing(t / 2) })), ...good()] },
  { name: 'a lens that comes into focus', taken: true, hint: 'blur', pictures: [...held({ blur: 7 }, 1.5), ...good()] },
  { name: 'nobody', taken: false, hint: 'no_face', pictures: held({ people: [] }, 5) },
  { name: 'too dark', taken: false, hint: 'dark', pictures: held({ light: 0.2 }, 5) },
  { name: 'two faces', taken: false, hint: 'second_face', pictures: held({ people: [{ x: 0.27, size: 0.4 }, { x: 0.75, size: 0.4 }] }, 5) },
  { name: 'too near', taken: false, hint: 'face_too_close', pictures: held(one({ size: 0.8 }), 5) },
  { name: 'too far', taken: false, hint: 'face_small', pictures: held(one({ size: 0.22 }), 5) },
  { name: 'turned away', taken: false, hint: 'pose_yaw', pictures: held(one({ yaw: -35 }), 5) },
  { name: 'tilted', taken: false, hint: 'pose_roll', pictures: held(one({ roll: -34 }), 5) },
  { name: 'always moving', taken: false, hint: 'moving', pictures: between(6, (t) => one({ x: swing(1.5 * t) })) },
  { name: 'the chin is cut off', taken: false, hint: 'face_cut_off', pictures: held(one({ y: 0.76, size: 0.5 }), 5) },
  { name: 'light from behind', taken: false, hint: 'backlight', pictures: held({ wall: '#fff', light: 0.5 }, 5) },
]);
