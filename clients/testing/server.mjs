// Starts the real server for tests: a free port, a database of its own.

import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { deflateSync } from "node:zlib";

const root = resolve(import.meta.dirname, "../..");

/** The program that LIVECHECK_BINARY names, else the one cargo built last. */
function binary() {
  if (process.env.LIVECHECK_BINARY) return resolve(process.env.LIVECHECK_BINARY);
  const built = ["release", "debug"]
    .map((profile) => join(root, "target", profile, "livecheck"))
    .filter((path) => existsSync(path))
    .sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs);
  if (built.length === 0) throw new Error("build livecheck, or name it in LIVECHECK_BINARY");
  return built[0];
}

/** This process's environment, without settings of a Livecheck server. */
function environment() {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith("LIVECHECK_"));
  return Object.fromEntries(kept);
}

/** A running server: `url`, `key(name, ...flags)`, `stop()`. */
export async function startServer(...flags) {
  const folder = mkdtempSync(join(tmpdir(), "livecheck-test-"));
  const database = join(folder, "keys.db");
  const address = ["--listen", "127.0.0.1:0", "--database", database, "--log-format", "json"];
  const told = ["--metrics", "public", "--version", "public"];
  // The real photos are webcam pictures, smaller than what the server takes by default.
  const small = ["--min-image-side", "200", "--min-face-side", "40"];
  const child = spawn(binary(), ["serve", ...address, ...told, ...small, ...flags], {
    cwd: folder,
    env: environment(),
    stdio: ["ignore", "ignore", "pipe"],
  });
  const stopped = new Promise((done) => child.once("exit", done));
  const stop = async () => {
    child.kill("SIGTERM");
    await stopped;
    rmSync(folder, { recursive: true, force: true });
  };
  let url;
  const seen = [];
  const lines = createInterface({ input: child.stderr });
  const ready = new Promise((done, failed) => {
    lines.on("line", (line) => {
      seen.push(line);
      const event = line.startsWith("{") ? JSON.parse(line) : {};
      if (event.message === "listening") url = `http://${event.address}`;
      if (event.message === "ready") done();
    });
    lines.on("close", () => failed(new Error(`the server did not start:\n${seen.join("\n")}`)));
  });
  try {
    await ready;
  } catch (error) {
    await stop();
    throw error;
  }
  const key = (name, ...keyFlags) =>
    execFileSync(
      binary(),
      ["keys", "create", "--name", name, "--database", database, ...keyFlags],
      { cwd: folder, env: environment(), encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] },
    ).trim();
  return { url, key, stop };
}

/** A PNG of a colour gradient: a readable image without a face. */
export function png(width, height) {
  const chunk = (kind, data) => {
    const named = Buffer.concat([Buffer.from(kind), data]);
    const [length, checksum] = [Buffer.alloc(4), Buffer.alloc(4)];
    length.writeUInt32BE(data.length);
    checksum.writeUInt32BE(crc32(named));
    return Buffer.concat([length, named, checksum]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  const rows = Buffer.alloc(height * (1 + 3 * width));
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      rows.set([(255 * x) / width, (255 * y) / height, 128], y * (1 + 3 * width) + 1 + 3 * x);
    }
  }
  return Buffer.concat([
    Buffer.from("\x89PNG\r\n\x1a\n", "latin1"),
    chunk("IHDR", header),
    chunk("IDAT", deflateSync(rows)),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

/** CRC-32 as PNG uses it (ISO/IEC 15948, annex D). */
function crc32(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? 0xedb88320 ^ (crc >>> 1) : crc >>> 1;
  }
  return ~crc >>> 0;
}

/**
 * A photo of a live face out of the folder that LIVECHECK_DATA names, never kept; `undefined`
 * without the folder.
 */
export function liveFace() {
  const folder = process.env.LIVECHECK_DATA;
  if (!folder) return undefined;
  const rows = readFileSync(join(folder, "pad_dev.csv"), "utf8").split(/\r?\n/);
  const [image] = rows.find((row) => /,replay-attack,[^,]*,live,/.test(row)).split(",");
  const archive = join(folder, "pad_dev.tar");
  const options = { maxBuffer: 2 ** 26, stdio: ["ignore", "pipe", "ignore"] };
  try {
    return execFileSync("tar", ["-xOf", archive, image], options);
  } catch {
    return execFileSync("tar", ["-xOf", archive, `./${image}`], options);
  }
}
