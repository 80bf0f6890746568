/** Which cameras call themselves virtual. */

/**
 * Names of programs that offer a virtual camera, as they appear in the label of its track. A program
 * can give its camera any name, so a match is a hint, and no match says nothing.
 */
const NAMES = [
  'virtual',
  '\\bobs\\b',
  'obs-camera',
  'manycam',
  'snap ?camera',
  'xsplit',
  'v-?cam\\b',
  'mmhmm',
  'camtwist',
  'splitcam',
  'altercam',
  'youcam',
  'sparkocam',
  'webcamoid',
  'loopback',
  'dummy video',
  'fake_?device',
  'unity video capture',
  'nvidia broadcast',
  'prism live',
  'chromacam',
  'deepface ?live',
  'avatarify',
];
const PATTERN = new RegExp(NAMES.join('|'), 'i');

/**
 * `likely` when the camera's label names a program, otherwise `unknown`.
 *
 * @param {string} label  of a `MediaStreamTrack`
 * @returns {'likely' | 'unknown'}
 */
export function virtualCamera(label) {
  return PATTERN.test(label ?? '') ? 'likely' : 'unknown';
}
