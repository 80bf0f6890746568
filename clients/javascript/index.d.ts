/** The bytes of an image file. */
export type Photo = Blob | ArrayBuffer | ArrayBufferView<ArrayBuffer>;

export interface Options {
  /** The server's address, such as `http://127.0.0.1:8080`. */
  url: string | URL;
  /** The key, `lck_…`. Keep it on your server, never in a web page. */
  apiKey: string;
  /** How long to wait for each response. Default 60 000. */
  timeoutMs?: number;
  /**
   * Retries when the server is busy (`005` with HTTP 503 or 429). Each waits the time
   * that the server asks for plus a random time, which grows with each retry, so that clients that
   * were rejected together don't come back together. Default 8.
   */
  retries?: number;
  /**
   * Longest wait that the server may ask for. If it asks for more, its error is thrown at
   * once, with `retryAfter`. Default 10 000.
   */
  maxWaitMs?: number;
  /** How to wait. */
  sleep?: (milliseconds: number, signal?: AbortSignal) => Promise<void>;
}

export interface CheckOptions {
  /** For keys that require a session; see {@link Livecheck.openSession}. */
  sessionToken?: string;
  /** Also return what was measured. */
  details?: boolean;
  /** Your id for this request; it appears in the server's log. */
  requestId?: string;
  /**
   * The response that a sandbox key requests: `live`, `attack`, `review`, an error code, `429` or
   * `503`.
   */
  sandbox?: string;
  /** Cancels the check. */
  signal?: AbortSignal;
}

/** A photo that was judged. */
export interface Result {
  /** Whether it counts as a photo of a live person. */
  liveness: boolean;
  /** Confidence in that, 0 to 1. */
  score: number;
  /** Whether the score is in the review band, so that a person should look at the photo; `liveness` is false. */
  review: boolean;
  /** Whether the key is a sandbox key: no photo was judged. */
  sandbox: boolean;
  /** Present if requested. */
  details?: Details;
  /** The id to search the server's log for. */
  requestId: string;
}

/** What was measured on the way to the result. Pixels are those of the upright image. */
export interface Details {
  face: {
    bbox: { x0: number; y0: number; x1: number; y1: number };
    /** Left eye, right eye, nose, left and right mouth corner as seen in the image. */
    landmarks: [number, number][];
    score: number;
  };
  mask_score: number;
  /** Confidence that the face is a presentation attack, 0 to 1; unlike `score`, it isn't calibrated. */
  attack_score: number;
  image: { width: number; height: number; format: string };
  /** For information; no decision uses it. */
  quality: { face_share: number; brightness: number; contrast: number; sharpness: number };
  thresholds: { face: number; liveness: number; mask: number; review?: number };
  models: { name: string; sha256: string }[];
  runtime: { name: string; version: string };
  timings: {
    decode_ms: number;
    detect_ms: number;
    mask_ms: number;
    liveness_ms: number;
    total_ms: number;
  };
}

/** Talks to one server with one key. */
export class Livecheck {
  constructor(options: Options);
  /**
   * Judges one photo.
   * @throws {ApiError} the subclass of the server's error code
   * @throws {UnreachableError} no response
   * @throws {UnexpectedAnswerError} a response that isn't from this API
   */
  check(photo: Photo, options?: CheckOptions): Promise<Result>;
  /** Opens a session: a token for a few checks. */
  openSession(options?: { signal?: AbortSignal }): Promise<Session>;
}

/** A session of one end user: a few checks under one token. */
export class Session {
  constructor(client: Livecheck, token: string);
  /** A secret: anyone who has it can use up the session's checks. */
  readonly token: string;
  /** As {@link Livecheck.check}, counted against this session. */
  check(photo: Photo, options?: Omit<CheckOptions, "sessionToken">): Promise<Result>;
}

/** Anything that kept a check from giving a result. */
export class LivecheckError extends Error {}

/** No response: the server can't be reached, or didn't respond in time. */
export class UnreachableError extends LivecheckError {}

/** A response that isn't from this API: usually a proxy's, or a wrong address. */
export class UnexpectedAnswerError extends LivecheckError {}

/** The server responded with an error code. Codes unknown to this version have this type. */
export class ApiError extends LivecheckError {
  /** The three digits, such as `"051"`. */
  readonly code: string;
  /** The code's fixed text. */
  readonly codeMessage: string;
  /** One sentence about this request. */
  readonly detail: string;
  readonly httpStatus: number;
  /** The id to search the server's log for. */
  readonly requestId: string;
  /** Seconds the server asked to wait, if it did. */
  readonly retryAfter?: number;
  /** Whether another photo by the end user can help. */
  readonly canRetake: boolean;
}

/** `001`: the API key is missing, wrong, expired or revoked. */
export class ApiKeyError extends ApiError {}
/** `061`: the session token is missing, unknown, expired or another key's. */
export class SessionNotFoundError extends ApiError {}
/** `062`: all checks of the session are used. */
export class SessionLimitError extends ApiError {}
/** `002`: the file is not a readable JPEG, PNG or WebP. */
export class UnreadableImageError extends ApiError {}
/** `003`: too many bytes or pixels. */
export class ImageTooLargeError extends ApiError {}
/** `004`: the request isn't in the format the server expects. */
export class BadRequestError extends ApiError {}
/** `005`: the server failed (500), is busy or stopping (503), or a limit is reached (429). */
export class ServerError extends ApiError {}
/** `007`: the image, or the face in it, has too few pixels. */
export class ResolutionTooLowError extends ApiError {}
/** `051`: no face, or more than one. */
export class FaceCountError extends ApiError {}
/** `052`: a mask or another covering is worn. */
export class FaceMaskError extends ApiError {}
