/**
 * What could be better about a picture of a face. Names and meanings are those of the `findings` of
 * the liveness API; the limits are this one table.
 */

/** The limits. Shares and luma run from 0 to 1, angles are degrees. */
export const LIMITS = Object.freeze({
  /** A face below is none. */
  face_score: 0.6,
  /** A second face counts from this score and from this share of the first one's width on. */
  second_face: 0.5,
  second_face_width: 0.2,
  /** Least share of the face box inside the picture. */
  face_cut_off: 0.97,
  /** The face's width over the picture's, or its height over the picture's: the larger one. */
  face_too_close: 0.85,
  face_small: 0.38,
  /** Least width of the face, pixels. The API refuses faces below 96 (`007`). */
  face_small_px: 112,
  pose_yaw: 25,
  pose_pitch: 22,
  pose_roll: 15,
  /** Mean luma of the face. */
  dark: 0.2,
  bright: 0.88,
  /** The surroundings are this much lighter than a face darker than `backlight_below`. */
  backlight: 0.3,
  backlight_below: 0.38,
  /** Share of the face that is white. */
  glare: 0.08,
  /** Standard deviation of the face's luma. */
  low_contrast: 0.05,
  /** Variance of the Laplacian of the 8-bit luma of the face at 128 × 128. */
  blur: 25,
  // Not of the API, which sees one picture: the middle of the face from the middle of the oval, in
  // shares of the oval's width, and movement in face widths per second.
  off_centre: 0.3,
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

/**
 * Light, contrast and sharpness of the face.
 *
 * @param {ImageData} patch  the face box at `PATCH` × `PATCH`
 */
export function measurePatch({ width, height, data }) {
  const grey = new Float32Array(width * height);
  let [sum, squares, white] = [0, 0, 0];
  for (let i = 0; i < grey.length; i += 1) {
    grey[i] = luma(data, 4 * i);
    sum += grey[i];
    squares += grey[i] ** 2;
    if (grey[i] > 247) white += 1;
  }
  let [edges, total, edgeSquares] = [0, 0, 0];
  for (let y = 1; y < height - 1; y += 1) {
    for (let x = 1; x < width - 1; x += 1) {
      const i = y * width + x;
      const edge = grey[i - 1] + grey[i + 1] + grey[i - width] + grey[i + width] - 4 * grey[i];
      edges += 1;
      total += edge;
      edgeSquares += edge * edge;
    }
  }
  const mean = sum / grey.length;
  return {
    brightness: mean / 255,
    contrast: Math.sqrt(Math.max(squares / grey.length - mean ** 2, 0)) / 255,
    sharpness: edgeSquares / edges - (total / edges) ** 2,
    glare: white / grey.length,
  };
}

/**
 * Mean luma of the picture, and of what surrounds the face above its chin: neck and shoulders are no
 * surroundings.
 *
 * @param {ImageData} small  the whole picture
 * @param {{x0: number, y0: number, x1: number, y1: number} | null} box  the face in it
 */
export function measureSurroundings({ width, height, data }, box) {
  let [all, count, around] = [0, 0, 0];
  const margin = box ? 0.25 * (box.x1 - box.x0) : 0;
  for (let y = 0; y < height; y += 2) {
    for (let x = 0; x < width; x += 2) {
      const value = luma(data, 4 * (y * width + x));
      all += value;
      const outside =
        box && y < box.y1 && (x < box.x0 - margin || x > box.x1 + margin || y < box.y0 - margin);
      if (outside) {
        count += 1;
        around += value;
      }
    }
  }
  const mean = all / (Math.ceil(width / 2) * Math.ceil(height / 2)) / 255;
  return { mean, surroundings: count > 0 ? around / count / 255 : null };
}

/**
 * Which way the head is turned, degrees, from where the nose lies between eyes and mouth. The nose
 * stands off the plane of the eyes by about 0.55 of the eyes' distance.
 *
 * @param {[number, number][]} landmarks
 */
export function poseOf([leftEye, rightEye, nose, leftMouth, rightMouth]) {
  const middle = ([ax, ay], [bx, by]) => [(ax + bx) / 2, (ay + by) / 2];
  const eyes = middle(leftEye, rightEye);
  const mouth = middle(leftMouth, rightMouth);
  const [ex, ey] = [rightEye[0] - leftEye[0], rightEye[1] - leftEye[1]];
  const apart = Math.hypot(ex, ey) || 1;
  const tall = Math.hypot(mouth[0] - eyes[0], mouth[1] - eyes[1]) || 1;
  const degrees = (value) => (value * 180) / Math.PI;
  // In the head's own axes, so that a tilted head is not a turned one.
  const [dx, dy] = [nose[0] - eyes[0], nose[1] - eyes[1]];
  const across = (dx * ex + dy * ey) / apart;
  const sideways = (mouth[0] - eyes[0]) * ex + (mouth[1] - eyes[1]) * ey;
  const down = (dy * ex - dx * ey) / apart;
  const yaw = degrees(Math.atan2(across - (0.5 * sideways) / apart, 0.55 * Math.max(apart, 0.8 * tall)));
  const pitch = degrees(Math.atan((down / tall - 0.56) / 0.5));
  return { yaw, pitch, roll: degrees(Math.atan2(ey, ex)) };
}

/**
 * Everything measured about one look.
 *
 * @param {{faces: import('./detector.js').Face[], width: number, height: number, mean: number,
 *   surroundings: number|null, patch: ReturnType<typeof measurePatch>|null, speed: number|null}} look
 * @returns {Record<string, number|null>}
 */
export function measure({ faces, width, height, mean, surroundings, patch, speed }) {
  const [face, second] = faces;
  const measures = { faces: faces.length, brightness: patch?.brightness ?? mean, surroundings };
  if (!face) return measures;
  const { x0, y0, x1, y1 } = face.box;
  const [w, h] = [x1 - x0, y1 - y0];
  const inside =
    (Math.max(Math.min(x1, width) - Math.max(x0, 0), 0) *
      Math.max(Math.min(y1, height) - Math.max(y0, 0), 0)) /
    (w * h);
  const oval = ovalIn(width, height);
  return Object.assign(measures, {
    score: face.score,
    second_width: second ? (second.box.x1 - second.box.x0) / w : 0,
    second_score: second?.score ?? 0,
    face_width: w,
    face_share: Math.max(w / width, h / height),
    visible: inside,
    off_centre: Math.hypot((x0 + x1) / 2 - oval.cx, (y0 + y1) / 2 - oval.cy) / (2 * oval.rx),
    contrast: patch?.contrast ?? null,
    sharpness: patch?.sharpness ?? null,
    glare: patch?.glare ?? null,
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
  const there = m.faces > 0 && m.score >= l.face_score * (1 + tight('no_face', 0.05));
  const second =
    m.second_score >= l.second_face * (1 - tight('second_face', 0.2)) &&
    m.second_width >= l.second_face_width * (1 - tight('second_face', 0.2));
  const tests = {
    dark: least('dark', m.brightness, l.dark),
    no_face: !there,
    second_face: second,
    face_cut_off: there && m.visible < l.face_cut_off + tight('face_cut_off', 0.01),
    face_too_close: there && most('face_too_close', m.face_share, l.face_too_close),
    face_small:
      there &&
      (least('face_small', m.face_share, l.face_small) || least('face_small', m.face_width, l.face_small_px)),
    off_centre: there && most('off_centre', m.off_centre, l.off_centre),
    pose_yaw: there && most('pose_yaw', Math.abs(m.yaw), l.pose_yaw),
    pose_pitch: there && most('pose_pitch', Math.abs(m.pitch), l.pose_pitch),
    pose_roll: there && most('pose_roll', Math.abs(m.roll), l.pose_roll),
    backlight:
      there &&
      m.surroundings !== null &&
      m.brightness < l.backlight_below &&
      most('backlight', m.surroundings - m.brightness, l.backlight),
    bright: there && most('bright', m.brightness, l.bright),
    glare: there && most('glare', m.glare, l.glare),
    low_contrast: there && least('low_contrast', m.contrast, l.low_contrast),
    moving: there && (m.speed === null || most('moving', m.speed, l.moving)),
    blur: there && least('blur', m.sharpness, l.blur),
  };
  return CHECKS.filter((check) => tests[check]);
}
