// Client of a Livecheck server. No dependencies: `fetch`, `FormData` and `AbortSignal` of the
// platform. The types stand in index.d.ts.

/** Milliseconds before the first retry when the server names no time; doubles with each one. */
const FIRST_WAIT_MS = 500;

/** Most times the wait that the server names by which a retry comes later. */
const MOST_SPREAD = 8;

export class LivecheckError extends Error {
  constructor(message, options) {
    super(message, options);
    this.name = new.target.name;
  }
}

export class UnreachableError extends LivecheckError {}

export class UnexpectedAnswerError extends LivecheckError {}

export class ApiError extends LivecheckError {
  constructor(answer) {
    const detail = answer.detail ? ` (${answer.detail})` : "";
    super(`${answer.code}: ${answer.codeMessage}${detail}`);
    Object.assign(this, answer);
  }

  get canRetake() {
    return false;
  }
}

/** Errors that another photo by the end user can fix. */
class PhotoError extends ApiError {
  get canRetake() {
    return true;
  }
}

export class ApiKeyError extends ApiError {}
export class SessionNotFoundError extends ApiError {}
export class SessionLimitError extends ApiError {}
export class UnreadableImageError extends PhotoError {}
export class ImageTooLargeError extends PhotoError {}
export class BadRequestError extends ApiError {}
export class ServerError extends ApiError {}
export class ResolutionTooLowError extends PhotoError {}
export class FaceCountError extends PhotoError {}
export class FaceMaskError extends PhotoError {}

const BY_CODE = new Map([
  ["001", ApiKeyError],
  ["061", SessionNotFoundError],
  ["062", SessionLimitError],
  ["002", UnreadableImageError],
  ["003", ImageTooLargeError],
  ["004", BadRequestError],
  ["005", ServerError],
  ["007", ResolutionTooLowError],
  ["051", FaceCountError],
  ["052", FaceMaskError],
]);

export class Session {
  #client;
  #token;

  constructor(client, token) {
    this.#client = client;
    this.#token = token;
  }

  get token() {
    return this.#token;
  }

  check(photo, options = {}) {
    return this.#client.check(photo, { ...options, sessionToken: this.#token });
  }
}

export class Livecheck {
  #url;
  #apiKey;
  #timeoutMs;
  #retries;
  #maxWaitMs;
  #sleep;

  constructor({ url, apiKey, timeoutMs = 60_000, retries = 8, maxWaitMs = 10_000, sleep = pause }) {
    this.#url = String(url).replace(/\/+$/, "");
    this.#apiKey = apiKey;
    this.#timeoutMs = timeoutMs;
    this.#retries = retries;
    this.#maxWaitMs = maxWaitMs;
    this.#sleep = sleep;
  }

  async check(photo, { sessionToken, details = false, requestId, sandbox, signal } = {}) {
    const body = new FormData();
    body.set("image", asBlob(photo), "photo");
    if (details) body.set("details", "true");
    const { answer, requestId: answeredId } = await this.#send("POST", "/liveness/", {
      headers: {
        "x-session-token": sessionToken,
        "x-request-id": requestId,
        "x-livecheck-sandbox": sandbox,
      },
      body,
      signal,
    });
    const { liveness, score, review = false, details: measured } = answer.result ?? {};
    if (typeof liveness !== "boolean" || typeof score !== "number") {
      throw new UnexpectedAnswerError("the response contains no result");
    }
    const inSandbox = answer.sandbox === true;
    return { liveness, score, review, sandbox: inSandbox, details: measured, requestId: answeredId };
  }

  async openSession({ signal } = {}) {
    const { answer } = await this.#send("GET", "/session/", { signal });
    if (typeof answer.session_token !== "string") {
      throw new UnexpectedAnswerError("the response contains no session token");
    }
    return new Session(this, answer.session_token);
  }

  async #send(method, path, request) {
    for (let attempt = 0; ; attempt += 1) {
      const { response, answer } = await this.#once(method, path, request);
      const requestId = response.headers.get("x-request-id") ?? "";
      if (answer.success) return { answer, requestId };
      const error = asError(answer, response, requestId);
      const wait = this.#wait(error, attempt);
      if (wait === undefined) throw error;
      await this.#sleep(wait, request.signal);
    }
  }

  async #once(method, path, { headers = {}, body, signal }) {
    const sent = Object.entries({ ...headers, "x-api-key": this.#apiKey });
    const timeout = AbortSignal.timeout(this.#timeoutMs);
    let response;
    let text;
    try {
      response = await fetch(this.#url + path, {
        method,
        headers: sent.filter(([, value]) => value !== undefined),
        body,
        // The key must not follow to wherever a redirect points.
        redirect: "manual",
        signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
      });
      text = await response.text();
    } catch (error) {
      if (signal?.aborted) throw error;
      throw new UnreachableError(`no response from ${this.#url}: ${reason(error)}`, { cause: error });
    }
    return { response, answer: parse(text, response) };
  }

  /** Milliseconds before the next try; `undefined`: no further one. */
  #wait(error, attempt) {
    const isBusy = error.code === "005" && [429, 503].includes(error.httpStatus);
    if (!isBusy || attempt >= this.#retries) return undefined;
    if (error.retryAfter === undefined) {
      // Spread, so that clients that failed together don't come back together.
      const wait = FIRST_WAIT_MS * 2 ** attempt * (0.5 + Math.random() / 2);
      return Math.min(wait, this.#maxWaitMs);
    }
    const named = error.retryAfter * 1000;
    // Spread the wider, the more tries were in vain: so many clients find room one after the other.
    const spread = Math.min(2 ** attempt, MOST_SPREAD);
    return named <= this.#maxWaitMs ? named * (1 + spread * Math.random()) : undefined;
  }
}

function asBlob(photo) {
  if (photo instanceof Blob) return photo;
  if (photo instanceof ArrayBuffer || ArrayBuffer.isView(photo)) return new Blob([photo]);
  throw new TypeError("a photo is a Blob, a File, an ArrayBuffer or a Uint8Array");
}

function parse(text, response) {
  let answer;
  try {
    answer = JSON.parse(text);
  } catch {
    answer = undefined;
  }
  if (typeof answer?.success === "boolean") return answer;
  throw new UnexpectedAnswerError(
    `HTTP ${response.status} from ${response.url} is not a response from Livecheck: ` +
      "is the address correct, and is there a proxy in front of the server?",
  );
}

function asError(answer, response, requestId) {
  const code = String(answer.error_code ?? "");
  const retryAfter = response.headers.get("retry-after") ?? "";
  const Type = BY_CODE.get(code) ?? ApiError;
  return new Type({
    code,
    codeMessage: String(answer.error_message ?? ""),
    detail: String(answer.error_detail ?? ""),
    httpStatus: response.status,
    requestId,
    retryAfter: /^\d+$/.test(retryAfter) ? Number(retryAfter) : undefined,
  });
}

/** What went wrong on the way: `fetch` hides it in the cause. */
function reason(error) {
  return error.cause?.message || error.message;
}

function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, milliseconds);
    if (signal?.aborted) stop();
    else signal?.addEventListener("abort", stop, { once: true });
  });
}
