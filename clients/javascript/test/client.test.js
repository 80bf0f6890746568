// The client against a real server; and against a fake one for what a real one rarely says.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { after, before, test } from "node:test";

import * as client from "../index.js";
import { liveFace, png, startServer } from "../../testing/server.mjs";

const { ApiError, ApiKeyError, FaceCountError, Livecheck, ServerError } = client;

let server;
let livecheck;
let keys = 0;
const newKey = (...flags) => {
  keys += 1;
  return server.key(`test-${keys}`, ...flags);
};

before(async () => {
  server = await startServer();
  livecheck = new Livecheck({ url: server.url, apiKey: newKey() });
});
after(() => server?.stop());

const faceless = png(400, 400);

test("a live face gets a score", async (context) => {
  const photo = liveFace();
  if (!photo) return context.skip("LEFT OUT: LIVECHECK_DATA does not name the data folder");
  const plain = await livecheck.check(photo);
  assert.ok(plain.score >= 0 && plain.score <= 1);
  assert.equal(plain.details, undefined);
  const { details, liveness, score } = await livecheck.check(photo, { details: true });
  assert.equal(liveness, score >= details.thresholds.liveness);
  assert.deepEqual(details.image, {
    width: 320,
    height: 240,
    content: { x0: 0, y0: 0, x1: 320, y1: 240 },
    rotated: 0,
    format: "jpeg",
  });
});

test("a photo is a blob, a buffer or bytes", async () => {
  const bytes = new Uint8Array(faceless);
  for (const photo of [faceless, bytes, bytes.buffer, new Blob([bytes])]) {
    await assert.rejects(livecheck.check(photo), FaceCountError);
  }
  await assert.rejects(livecheck.check("selfie.jpg"), TypeError);
});

const refusals = [
  ["002", client.UnreadableImageError, Buffer.from("no image at all")],
  ["003", client.ImageTooLargeError, Buffer.concat([faceless, Buffer.alloc(10 * 1024 * 1024)])],
  ["004", client.BadRequestError, Buffer.alloc(0)],
  ["007", client.ResolutionTooLowError, png(40, 30)],
  ["051", client.FaceCountError, faceless],
];

for (const [code, Type, photo] of refusals) {
  test(`${code} has its type`, async () => {
    await assert.rejects(livecheck.check(photo, { requestId: "test.refusal-1" }), (error) => {
      assert.equal(error.constructor, Type);
      assert.equal(error.name, Type.name);
      assert.equal(error.code, code);
      assert.ok(error.codeMessage && error.detail && error.message.includes(error.detail));
      assert.equal(error.requestId, "test.refusal-1");
      assert.equal(error.canRetake, code !== "004");
      return true;
    });
  });
}

test("a wrong key", async () => {
  const wrong = new Livecheck({ url: server.url, apiKey: "lck_wrong" });
  await assert.rejects(wrong.check(faceless), (error) => {
    assert.ok(error instanceof ApiKeyError && error instanceof ApiError);
    assert.deepEqual([error.httpStatus, error.canRetake], [401, false]);
    return true;
  });
});

test("a session is good for three checks", async () => {
  const strict = new Livecheck({ url: server.url, apiKey: newKey("--require-session") });
  const session = await strict.openSession();
  for (let use = 0; use < 3; use += 1) {
    await assert.rejects(session.check(faceless), FaceCountError);
  }
  await assert.rejects(session.check(faceless), client.SessionLimitError);
  await assert.rejects(strict.check(faceless), client.SessionNotFoundError);
});

test("a limited key is tried again after the time it was told, but not after a long one", async () => {
  const waits = [];
  const limited = (apiKey, maxWaitMs) =>
    new Livecheck({
      url: server.url,
      apiKey,
      retries: 2,
      maxWaitMs,
      sleep: async (wait) => waits.push(wait),
    });
  const apiKey = newKey("--rate", "0.01/s", "--burst", "1");
  await assert.rejects(limited(apiKey, 0).check(faceless), FaceCountError);
  await assert.rejects(limited(apiKey, 0).check(faceless), ServerError);
  assert.deepEqual(waits, []);
  await assert.rejects(limited(apiKey, 1_000_000).check(faceless), (error) => {
    assert.ok(error instanceof ServerError);
    assert.equal(error.httpStatus, 429);
    assert.equal(waits.length, 2);
    const ratio = waits[1] / (error.retryAfter * 1000);
    assert.ok(ratio >= 1 && ratio <= 3);
    return true;
  });
});

/** A client with a sandbox key, and its waits. */
function sandboxClient() {
  const waits = [];
  const sleep = async (wait) => waits.push(wait);
  const apiKey = newKey("--sandbox");
  return { waits, sandbox: new Livecheck({ url: server.url, apiKey, retries: 2, sleep }) };
}

test("the sandbox gives each result", async () => {
  const { sandbox } = sandboxClient();
  for (const [scenario, liveness, review] of [
    ["live", true, false],
    ["attack", false, false],
    ["review", false, true],
  ]) {
    const result = await sandbox.check(faceless, { sandbox: scenario, details: true });
    assert.deepEqual([result.liveness, result.review, result.sandbox], [liveness, review, true]);
    assert.equal(result.details.image.width, 400);
  }
});

test("the sandbox gives each error", async () => {
  const codes = ["001", "002", "003", "004", "005", "007", "051", "052", "061", "062"];
  const { waits, sandbox } = sandboxClient();
  for (const code of codes) {
    await assert.rejects(sandbox.check(faceless, { sandbox: code }), { code });
  }
  assert.deepEqual(waits, []);
  for (const httpStatus of [429, 503]) {
    const expected = { code: "005", httpStatus, retryAfter: 1 };
    await assert.rejects(sandbox.check(faceless, { sandbox: `${httpStatus}` }), expected);
  }
  assert.equal(waits.length, 4, "both were tried again");
  assert.ok(waits.every((wait) => wait >= 1000 && wait <= 3000));
});

test("of 64 photos sent 16 at a time none is lost", async () => {
  // Room for four at a time: most are turned away, and come back.
  const narrow = await startServer("--workers", "1", "--queue", "3");
  try {
    const crowd = new Livecheck({ url: narrow.url, apiKey: narrow.key("crowd") });
    const codes = [];
    const sendFour = async () => {
      for (let photo = 0; photo < 4; photo += 1) {
        await crowd.check(faceless).catch((error) => codes.push(error.code));
      }
    };
    await Promise.all(Array.from({ length: 16 }, sendFour));
    assert.deepEqual(codes, Array(64).fill("051"));
  } finally {
    await narrow.stop();
  }
});

test("nobody there", async () => {
  const nobody = new Livecheck({ url: "http://127.0.0.1:1", apiKey: "lck_any" });
  await assert.rejects(nobody.check(faceless), client.UnreachableError);
});

test("a check can be given up", async () => {
  const signal = AbortSignal.abort();
  await assert.rejects(livecheck.check(faceless, { signal }), { name: "AbortError" });
});

/** Runs `body` with a client of a server that gives these answers, one after the other. */
async function withFake(answers, options, body) {
  const seen = [];
  const fake = createServer((request, response) => {
    seen.push(request.url);
    const [status, headers, text] = answers.shift();
    response.writeHead(status, headers).end(text);
  });
  await new Promise((done) => fake.listen(0, "127.0.0.1", done));
  try {
    const url = `http://127.0.0.1:${fake.address().port}`;
    await body(new Livecheck({ url, apiKey: "lck_any", ...options }), seen);
  } finally {
    fake.closeAllConnections();
    fake.close();
  }
}

const busy = '{"success": false, "error_code": "005", "error_message": "Server internal error."}';
const done = '{"success": true, "session_token": "a-token"}';

test("a busy server is asked again", async () => {
  const waits = [];
  const answers = [[503, { "retry-after": "2" }, busy], [503, {}, busy], [200, {}, done]];
  await withFake(answers, { sleep: async (wait) => waits.push(wait) }, async (fake) => {
    assert.equal((await fake.openSession()).token, "a-token");
    assert.ok(waits[0] >= 2000 && waits[0] <= 4000);
    assert.ok(waits[1] > 0 && waits[1] <= 1000);
  });
});

for (const [status, code] of [[500, "005"], [429, "062"], [429, "099"], [401, "061"]]) {
  test(`${code} with HTTP ${status} is not asked again`, async () => {
    const answers = [[status, { "retry-after": "0" }, busy.replace("005", code)]];
    await withFake(answers, {}, async (fake, seen) => {
      await assert.rejects(fake.openSession(), (error) => error.code === code);
      assert.deepEqual(seen, ["/session/"]);
    });
  });
}

for (const body of ["", "<html>", "[]", '{"success": "yes"}', '{"success": true}']) {
  test(`an answer of another form: ${body}`, () =>
    withFake([[200, {}, body]], {}, (fake) =>
      assert.rejects(fake.openSession(), client.UnexpectedAnswerError)));
}

test("the key does not follow a redirect", () =>
  withFake([[302, { location: "/elsewhere" }, ""], [200, {}, done]], {}, async (fake, seen) => {
    await assert.rejects(fake.openSession(), client.UnexpectedAnswerError);
    assert.deepEqual(seen, ["/session/"]);
  }));

test("the types name what there is, and hold", () => {
  const types = readFileSync(new URL("../index.d.ts", import.meta.url), "utf8");
  const classes = [...types.matchAll(/^export class (\w+)/gm)].map((found) => found[1]);
  assert.deepEqual(classes.sort(), Object.keys(client).sort());
  const compiler = new URL("../node_modules/typescript/bin/tsc", import.meta.url).pathname;
  const cwd = new URL("..", import.meta.url).pathname;
  const flags = ["--noEmit", "--strict", "--target", "esnext", "--module", "nodenext"];
  execFileSync(process.execPath, [compiler, ...flags, "test/types.ts"], { cwd, stdio: "inherit" });
});
