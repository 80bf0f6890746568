/** Types of `<livecheck-capture>`. */

/** A photo as `livecheck-photo` hands it over. */
export interface CapturedPhoto {
  /** JPEG, PNG or WebP within the limits of the liveness API. */
  blob: Blob;
  /** Size of the upright picture, pixels. */
  width: number;
  height: number;
  source: 'camera' | 'file';
  /** The file was converted to JPEG in the browser. */
  converted: boolean;
  /** Taken by itself, without the button. */
  automatic: boolean;
  /** `likely`: the camera's label is that of a program. A hint, no proof. */
  virtual: 'likely' | 'unknown';
}

/** Checks in the order in which their hints are given. */
export type Check =
  | 'dark'
  | 'no_face'
  | 'second_face'
  | 'face_too_close'
  | 'face_cut_off'
  | 'face_small'
  | 'off_centre'
  | 'pose_yaw'
  | 'pose_pitch'
  | 'pose_roll'
  | 'backlight'
  | 'bright'
  | 'glare'
  | 'low_contrast'
  | 'moving'
  | 'blur';

/** What was measured in one look at the camera's picture. */
export interface Measures {
  faces: number;
  brightness: number;
  surroundings: number | null;
  score?: number;
  second_width?: number;
  second_score?: number;
  face_width?: number;
  face_share?: number;
  outside?: number;
  off_centre?: number;
  range?: number | null;
  fineness?: number | null;
  sharpness?: number | null;
  glare?: number | null;
  speed?: number | null;
  yaw?: number;
  pitch?: number;
  roll?: number;
}

export interface HintDetail {
  hint: Check | 'ready';
  /** The text that is shown, in the element's language. */
  text: string;
  /** Every check that the picture fails, the most helpful first. */
  findings: Check[];
  measures: Measures;
}

export type ErrorReason =
  | 'camera-denied'
  | 'camera-missing'
  | 'camera-busy'
  | 'camera-unsupported'
  | 'camera-lost'
  | 'detector-unavailable'
  | 'unreadable';

export interface ErrorDetail {
  reason: ErrorReason;
  /** The text that is shown; empty for `detector-unavailable`. */
  text: string;
}

export type CaptureState = 'idle' | 'starting' | 'live' | 'taking' | 'preparing' | 'done';

export type Language = 'en' | 'de' | 'es' | 'fr' | 'pt' | 'hi' | 'id' | 'ar';

export interface LivecheckCaptureEventMap {
  'livecheck-photo': CustomEvent<CapturedPhoto>;
  'livecheck-hint': CustomEvent<HintDetail>;
  'livecheck-error': CustomEvent<ErrorDetail>;
  'livecheck-state': CustomEvent<{ state: CaptureState }>;
}

export class LivecheckCapture extends HTMLElement {
  readonly state: CaptureState;
  readonly automatic: boolean;
  readonly virtual: 'likely' | 'unknown';
  readonly looksPerSecond: number;
  disabled: boolean;
  /** Texts by name, in place of those of the language. */
  texts: Record<string, string>;
  /** Asks for the camera. Resolves when it is live, or has failed. */
  start(): Promise<void>;
  /** Takes the photo. Resolves after its event. */
  capture(): Promise<void>;
  /** Takes a file as though the user had chosen it. */
  use(file: Blob): Promise<void>;
  /** Opens the file dialogue; call it from a click. */
  choose(): void;
  /** Stops the camera and forgets the photo. */
  reset(): void;
  addEventListener<K extends keyof LivecheckCaptureEventMap>(
    type: K,
    listener: (this: LivecheckCapture, event: LivecheckCaptureEventMap[K]) => unknown,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject,
    options?: boolean | AddEventListenerOptions,
  ): void;
}

export const CHECKS: readonly Check[];
export const API_LIMITS: Readonly<Record<string, number>>;
export const LIMITS: Readonly<Record<string, number>>;
export const FILE_LIMITS: Readonly<{ maxBytes: number; maxPixels: number; canvasPixels: number }>;
export const TEXTS: Readonly<Record<string, string>>;
export const TIMING: Readonly<Record<string, number>>;
export const LANGUAGES: Readonly<Record<Language, () => Promise<Record<string, string>>>>;
export function virtualCamera(label: string): 'likely' | 'unknown';
export function findingsOf(measures: Measures, shown?: string): Check[];
export function ovalIn(width: number, height: number): { cx: number; cy: number; rx: number; ry: number };
export function preparePhoto(
  file: Blob,
  limits?: { maxBytes?: number; maxPixels?: number; canvasPixels?: number },
): Promise<{ blob: Blob; width: number; height: number; converted: boolean }>;

declare global {
  interface HTMLElementTagNameMap {
    'livecheck-capture': LivecheckCapture;
  }
  interface HTMLElementEventMap extends LivecheckCaptureEventMap {}
}
