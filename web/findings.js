/**
 * What could be better about a picture of a face. Names and meanings are those of the `findings` of
 * the liveness API; the limits are this one table.
 */

/**
 * The limits of the API's findings, as it measures them: `FindingLimits` of the engine. Shares and luma run
 * from 0 to 1, angles are degrees. `tests/findings.test.mjs` compares them with the engine's.
 */
export const API_LIMITS = Object.freeze({
  /** Share of the face box, widened by `CUT_MARGIN`, outside the picture. */
  face_cut_off: 0.00808,
  /** Larger of the face's shares of the picture's width and height. */
  face_too_close: 0.815,
  /** Width of the face box, pixels. */
  face_small: 110,
  pose_yaw: 78.8,
  pose_pitch: 20.8,
  pose_roll: 27.9,
  /** Fine detail of the face over coarser detail, where that is least. */
  blur: 0.0148,
  /** Mean luma of the face. */
  dark: 0.135,
  /** Share of the colour values of the face that are at their end. */
  bright: 0.184,
  /** Mean luma about the face less that of the face. */
  backlight: 0.568,
  /** Share of the face that is white. */
  glare: 0.227,
  /** Range of the luma of the face and what is about it, without the outer hundredths. */
  low_contrast: 0.454,
  /** Score of another face. */
  second_face: 0.5,
});

/**
 * The limits of the camera: those of the API, stricter where a person can easily do better, and a few for
 * what one picture cannot show or the camera alone needs.
 */
export const LIMITS = Object.freeze({
  ...API_LIMITS,
  face_too_close: 0.8,
  pose_yaw: 30,
  pose_roll: 15,
  /** A face below is none. */
  no_face: 0.6,
  /** Least of the face's shares of the picture, as in `face_too_close`. */
  face_small_share: 0.38,
  /** A second face counts from this share of the first one's width on. */
  second_face_width: 0.2,
  /** From the middle of the oval, in widths of the oval. */
  off_centre: 0.3,
  /** Face widths per second. */
  moving: 0.3,
});

/**
 * All that is looked at, the most helpful first: a picture without light has no pose. `no_face`,
 * `off_centre` and `moving` exist in the browser alone; all others are checks of the API.
 */
export const CHECKS = Object.freeze([
  'dark',
  'no_face',
  'second_face',
  'face_too_close',
  'face_cut_off',
  'face_small',
  'off_centre',
  'pose_yaw',
  'pose_pitch',
  'pose_roll',
  'backlight',
  'bright',
  'glare',
  'low_contrast',
  'moving',
  'blur',
]);

/** Side of the grey patch of the face that light and sharpness are measured on, as in the API. */
export const PATCH = 128;

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

const luma = (data, at) => 0.299 * data[at] + 0.587 * data[at + 1] + 0.114 * data[at + 2];

/** Rows and columns of the patch that are looked at: the face without most of the hair. */
const ROWS = [20, 115];
const COLUMNS = [20, 108];
const WHITE = 250;
/** Level from which a colour is at its end. */
const CLIPPED = 252;
/** What the detail at distances of 1, 2 and 4 over that at four times the distance usually is, over the first. */
const SCALES = [1, 2, 4];
/** Share of the sides of a face box by which it is widened before it counts what of it is outside. */
const CUT_MARGIN = 0.03;

/** Keeps ratios of what hardly varies near 1, squared grey levels. */
const LEAST_DETAIL = 1e-3;

/** Mean squared second difference at a distance, that across and that down together. */
function detail(grey, width, height, distance) {
  let [across, down] = [0, 0];
  const inner = (side) => Math.max(side - 2 * distance, 0);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const i = y * width + x;
      if (x < inner(width)) across += (grey[i] - 2 * grey[i + distance] + grey[i + 2 * distance]) ** 2;
      if (y < inner(height)) {
        down += (grey[i] - 2 * grey[i + distance * width] + grey[i + 2 * distance * width]) ** 2;
      }
    }
  }
  return across / Math.max(inner(width) * height, 1) + down / Math.max(inner(height) * width, 1);
}

/**
 * Light and detail of the face, as the engine measures them.
 *
 * @param {ImageData} patch  the face box at `PATCH` × `PATCH`
 */
export function measurePatch({ width, data }) {
  const [w, h] = [COLUMNS[1] - COLUMNS[0], ROWS[1] - ROWS[0]];
  const grey = new Float32Array(w * h);
  let [sum, white, clipped] = [0, 0, 0];
  for (let y = 0, i = 0; y < h; y += 1) {
    for (let x = 0; x < w; x += 1, i += 1) {
      const at = 4 * ((y + ROWS[0]) * width + x + COLUMNS[0]);
      grey[i] = luma(data, at);
      sum += grey[i];
      if (grey[i] >= WHITE) white += 1;
      for (let channel = 0; channel < 3; channel += 1) if (data[at + channel] >= CLIPPED) clipped += 1;
    }
  }
  const [fine, two, four, ...coarse] = [1, 2, 4, 8, 16].map((distance) => detail(grey, w, h, distance));
  const ratios = [fine, two, four].map((value, i) => value / ([four, ...coarse][i] + LEAST_DETAIL) / SCALES[i]);
  return {
    brightness: sum / grey.length / 255,
    clipped: clipped / (3 * grey.length),
    glare: white / grey.length,
    fineness: Math.min(...ratios),
    /** To compare frames of one camera with. */
    sharpness: fine,
  };
}

/** Points across and down the grid about the face. */
const POINTS = 40;

/**
 * Mean luma of the picture; mean luma of what is above and beside the face; and the range of luma of all
 * of it, without the outer hundredths.
 *
 * @param {ImageData} small  the whole picture
 * @param {{x0: number, y0: number, x1: number, y1: number} | null} box  the face in it
 */
export function measureSurroundings({ width, height, data }, box) {
  const at = (x, y) => luma(data, 4 * (Math.floor(y) * width + Math.floor(x)));
  let sum = 0;
  let count = 0;
  for (let y = 0; y < height; y += 3) {
    for (let x = 0; x < width; x += 3, count += 1) sum += at(x, y);
  }
  const mean = sum / count / 255;
  if (!box) return { mean, surroundings: null, range: null };
  const [w, h] = [box.x1 - box.x0, box.y1 - box.y0];
  const [cx, cy] = [(box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2];
  const place = (point, from, to, end) =>
    Math.min(Math.max(from + ((to - from) * point) / (POINTS - 1), 0), end - 1);
  const all = [];
  let [about, abouts] = [0, 0];
  for (let row = 0; row < POINTS; row += 1) {
    for (let column = 0; column < POINTS; column += 1) {
      const x = place(column, cx - 1.25 * w, cx + 1.25 * w, width);
      const y = place(row, cy - 1.25 * h, cy + 0.6 * h, height);
      const value = at(x, y);
      all.push(value);
      const ofPerson = y >= box.y0 - 0.1 * h && x >= box.x0 - 0.1 * w && x <= box.x1 + 0.1 * w;
      if (!ofPerson) {
        about += value;
        abouts += 1;
      }
    }
  }
  all.sort((a, b) => a - b);
  const percentile = (share) => all[Math.min(Math.floor(share * all.length), all.length - 1)];
  return {
    mean,
    surroundings: (abouts > 0 ? about / abouts : all.reduce((a, b) => a + b, 0) / all.length) / 255,
    range: (percentile(0.99) - percentile(0.01)) / 255,
  };
}

/**
 * Eyes, nose and mouth corners of a mean head about their centre, millimetres: right and down as in the
 * picture, and towards the camera.
 */
const HEAD = [
  [-32.0, -32.6, -5.2],
  [32.0, -32.6, -5.2],
  [0.0, 0.4, 16.8],
  [-25.0, 32.4, -3.2],
  [25.0, 32.4, -3.2],
];
/** By how many degrees cameras held as people hold them seem to look at a face from above. */
const COMMON_PITCH = 14;

/**
 * Which way the head is turned, degrees, as the engine tells it: the mean head is fitted to the landmarks
 * under scaled orthography, after its roll is taken out.
 *
 * @param {[number, number][]} landmarks
 */
export function poseOf(landmarks) {
  const mean = [0, 1].map((axis) => landmarks.reduce((sum, point) => sum + point[axis], 0) / 5);
  const centred = landmarks.map(([x, y]) => [x - mean[0], y - mean[1]]);
  const dot = (model, points, axis) => HEAD.reduce((sum, head, i) => sum + head[model] * points[i][axis], 0);
  const roll = Math.atan2(dot(0, centred, 1), dot(0, centred, 0));
  const [sine, cosine] = [Math.sin(roll), Math.cos(roll)];
  const upright = centred.map(([x, y]) => [cosine * x + sine * y, cosine * y - sine * x]);
  const of = (one, other) => HEAD.reduce((sum, head) => sum + head[one] * head[other], 0);
  const [yy, yz, zz] = [of(1, 1), of(1, 2), of(2, 2)];
  const determinant = yy * zz - yz * yz;
  const downAndDepth = (axis) => {
    const [y, z] = [dot(1, upright, axis), dot(2, upright, axis)];
    return [(y * zz - z * yz) / determinant, (z * yy - y * yz) / determinant];
  };
  const across = dot(0, upright, 0) / of(0, 0);
  const [, aside] = downAndDepth(0);
  const [down, raised] = downAndDepth(1);
  const degrees = (value) => (value * 180) / Math.PI;
  return {
    yaw: degrees(Math.atan2(aside, across)),
    pitch: degrees(Math.atan2(raised, down)) - COMMON_PITCH,
    roll: degrees(roll),
  };
}

/**
 * Everything measured about one look.
 *
 * @param {{faces: import('./detector.js').Face[], width: number, height: number, mean: number,
 *   surroundings: number|null, range: number|null, patch: ReturnType<typeof measurePatch>|null, speed: number|null}} look
 * @returns {Record<string, number|null>}
 */
export function measure({ faces, width, height, mean, surroundings, range, patch, speed }) {
  const [face, second] = faces;
  const measures = { faces: faces.length, brightness: patch?.brightness ?? mean, surroundings };
  if (!face) return measures;
  const { x0, y0, x1, y1 } = face.box;
  const [w, h] = [x1 - x0, y1 - y0];
  const [across, down] = [CUT_MARGIN * w, CUT_MARGIN * h];
  const inside =
    (Math.max(Math.min(x1 + across, width) - Math.max(x0 - across, 0), 0) *
      Math.max(Math.min(y1 + down, height) - Math.max(y0 - down, 0), 0)) /
    ((w + 2 * across) * (h + 2 * down));
  const oval = ovalIn(width, height);
  return Object.assign(measures, {
    score: face.score,
    second_width: second ? (second.box.x1 - second.box.x0) / w : 0,
    second_score: second?.score ?? 0,
    face_width: w,
    face_share: Math.max(w / width, h / height),
    outside: 1 - inside,
    off_centre: Math.hypot((x0 + x1) / 2 - oval.cx, (y0 + y1) / 2 - oval.cy) / (2 * oval.rx),
    range,
    fineness: patch?.fineness ?? null,
    sharpness: patch?.sharpness ?? null,
    glare: patch?.glare ?? null,
    clipped: patch?.clipped ?? null,
    speed,
    ...poseOf(face.landmarks),
  });
}

/**
 * The checks that a look fails, the most helpful first. The check whose hint is shown asks for a little
 * more than its limit, so that the hint does not flicker at the limit.
 *
 * @param {ReturnType<typeof measure>} m
 * @param {string} [shown]  the check whose hint is shown
 */
export function findingsOf(m, shown = '') {
  const l = LIMITS;
  const tight = (check, value) => (check === shown ? value : 0);
  const most = (check, value, limit) => value !== null && value > limit * (1 - tight(check, 0.1));
  const least = (check, value, limit) => value !== null && value < limit * (1 + tight(check, 0.1));
  const there = m.faces > 0 && m.score >= l.no_face * (1 + tight('no_face', 0.05));
  const second =
    m.second_score >= l.second_face * (1 - tight('second_face', 0.2)) &&
    m.second_width >= l.second_face_width * (1 - tight('second_face', 0.2));
  const tests = {
    dark: least('dark', m.brightness, l.dark),
    no_face: !there,
    second_face: second,
    face_cut_off: there && m.outside > l.face_cut_off - tight('face_cut_off', 0.005),
    face_too_close: there && most('face_too_close', m.face_share, l.face_too_close),
    face_small:
      there &&
      (least('face_small', m.face_share, l.face_small_share) || least('face_small', m.face_width, l.face_small)),
    off_centre: there && most('off_centre', m.off_centre, l.off_centre),
    pose_yaw: there && most('pose_yaw', Math.abs(m.yaw), l.pose_yaw),
    pose_pitch: there && most('pose_pitch', Math.abs(m.pitch), l.pose_pitch),
    pose_roll: there && most('pose_roll', Math.abs(m.roll), l.pose_roll),
    backlight:
      there &&
      m.surroundings !== null &&
      most('backlight', m.surroundings - m.brightness, l.backlight),
    bright: there && most('bright', m.clipped, l.bright),
    glare: there && most('glare', m.glare, l.glare),
    low_contrast: there && least('low_contrast', m.range, l.low_contrast),
    moving: there && (m.speed === null || most('moving', m.speed, l.moving)),
    blur: there && least('blur', m.fineness, l.blur),
  };
  return CHECKS.filter((check) => tests[check]);
}
