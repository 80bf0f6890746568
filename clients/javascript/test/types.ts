// Compiled, never run: what a user of the types writes must be accepted, and what is wrong must not.

import { ApiError, FaceCountError, Livecheck, type Result } from "../index.js";

export async function use(photo: Blob): Promise<Result | "retake"> {
  const livecheck = new Livecheck({ url: "http://127.0.0.1:8080", apiKey: "lck_…" });
  const session = await livecheck.openSession({ signal: AbortSignal.timeout(1000) });
  try {
    const result = await session.check(photo, { details: true });
    const width: number | undefined = result.details?.image.width;
    return width === 0 ? "retake" : result;
  } catch (error) {
    if (error instanceof FaceCountError) return "retake";
    if (error instanceof ApiError && error.canRetake) return "retake";
    throw error;
  }
}

// @ts-expect-error: a path is no photo
void new Livecheck({ url: "", apiKey: "" }).check("selfie.jpg");
// @ts-expect-error: the key is needed
void new Livecheck({ url: "" });
