// Runs the Postman collection with newman against the real server.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { liveFace, png, startServer } from "../testing/server.mjs";

const collection = join(import.meta.dirname, "livecheck.postman_collection.json");
const newman = join(import.meta.dirname, "node_modules/newman/bin/newman.js");

let server;
let folder;
let runs = 0;

before(async () => {
  server = await startServer();
  folder = mkdtempSync(join(tmpdir(), "livecheck-postman-"));
});
after(async () => {
  await server?.stop();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

/** Runs all requests with this photo as the file `selfie.jpg`. */
async function run(photo, apiKey, variables) {
  writeFileSync(join(folder, "selfie.jpg"), photo);
  runs += 1;
  const sandboxKey = server.key(`sandbox-${runs}`, "--sandbox");
  const all = { baseUrl: server.url, apiKey, sandboxKey, ...variables };
  const flags = Object.entries(all).flatMap(([name, value]) => ["--env-var", `${name}=${value}`]);
  const child = spawn(
    process.execPath,
    [newman, "run", collection, "--working-dir", folder, "--color", "off", ...flags],
    { stdio: "inherit" },
  );
  const code = await new Promise((done) => child.once("exit", done));
  if (code !== 0) throw new Error(`newman ended with ${code}`);
}

test("a drawn picture, a key without sessions", () =>
  run(png(400, 400), server.key("plain"), { expected: "051" }));

test("a drawn picture, a key that requires sessions", () =>
  run(png(400, 400), server.key("strict", "--require-session"), { expected: "051" }));

test("a live face", async (context) => {
  const photo = liveFace();
  if (!photo) return context.skip("LEFT OUT: LIVECHECK_DATA does not name the data folder");
  const photoBase64 = photo.toString("base64");
  return run(photo, server.key("live"), { expected: "success", photoBase64 });
});
