/** Answers of the API to show, for what a drawn person cannot bring about. */

import { FACE } from './portrait.mjs';

/** The API's table: code, HTTP status, message. */
export const CODES = Object.freeze({
  '001': [401, 'API key is either missing or incorrect.'],
  '061': [401, 'Session key is not found, please try again.'],
  '062': [429, 'Session key limit reached, please try restart.'],
  '002': [400, 'Error reading image, please check the request format.'],
  '003': [413, 'Image file size is too large.'],
  '004': [400, 'Request is not in the correct format.'],
  '005': [500, 'Server internal error, please try again.'],
  '007': [422, 'Image resolution too low!'],
  '051': [422, 'No face, or more than one face is detected in the selfie.'],
  '052': [422, 'Face mask is detected, please remove the face mask and try again.'],
});

export function failure(code, detail = undefined, headers = {}) {
  const [status, message] = CODES[code];
  const body = { success: false, error_code: code, error_message: message, error_detail: detail };
  return { status, headers, json: body };
}

/**
 * A verdict on the drawn person in the middle of a 960 × 720 picture, at scale 2.
 *
 * @param {number} score  from 0.9 on: live
 */
export function verdict(score, { width = 960, height = 720, scale = 2, attack = 0.09 } = {}) {
  const [x, y] = [width / 2, height / 2];
  const { bbox, landmarks } = FACE;
  return {
    status: 200,
    json: {
      success: true,
      result: {
        liveness: score >= 0.9,
        score,
        details: {
          face: {
            bbox: {
              x0: x + scale * bbox.x0,
              y0: y + scale * bbox.y0,
              x1: x + scale * bbox.x1,
              y1: y + scale * bbox.y1,
            },
            landmarks: landmarks.map(([dx, dy]) => [x + scale * dx, y + scale * dy]),
            score: 0.94,
          },
          mask_score: 0.02,
          attack_score: attack,
          image: { width, height, format: 'jpeg' },
          quality: { face_share: 0.42, brightness: 0.57, contrast: 0.18, sharpness: 312.4 },
          thresholds: { face: 0.75, liveness: 0.9, mask: 0.5 },
          models: [{ name: 'face-detector', sha256: '0'.repeat(64) }],
          timings: { decode_ms: 9.1, detect_ms: 11.8, mask_ms: 2.2, liveness_ms: 14.6, total_ms: 37.7 },
        },
      },
    },
  };
}
