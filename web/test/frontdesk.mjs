// A real server on a free loopback port, with a data folder of its own.
import { spawn } from "node:child_process";
import { openSync } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
/** Models load on the way. */
const READY_MS_MAX = 120_000;

export async function freePort() {
  const probe = createServer();
  await new Promise((done) => probe.listen(0, "127.0.0.1", done));
  const { port } = probe.address();
  await new Promise((done) => probe.close(done));
  return port;
}

/** In front of a server: the pages as they were built last, instead of those within the program. */
async function inFront(url) {
  if (process.env.PAGES !== "dist") return { url, close: () => {} };
  process.env.FRONTDESK_URL = url;
  const { preview } = await import("vite");
  const root = join(ROOT, "web");
  const server = await preview({ root, logLevel: "error", preview: { host: "127.0.0.1", port: await freePort() } });
  return { url: server.resolvedUrls.local[0].replace(/\/$/, ""), close: () => server.close() };
}

/**
 * Starts `program serve` and waits until it takes calls. Models come from where the repository has them. With PAGES=dist in
 * the environment, the pages are those of web/dist.
 */
export async function startFrontdesk(program, home, env) {
  await mkdir(home, { recursive: true });
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const log = join(home, "serve.log");
  const out = openSync(log, "w");
  const child = spawn(resolve(program), ["serve"], {
    cwd: ROOT,
    stdio: ["ignore", out, out],
    env: {
      ...process.env,
      FRONTDESK_SERVER_LISTEN: `127.0.0.1:${port}`,
      FRONTDESK_DATA_DIR: join(home, "data"),
      FRONTDESK_SERVER_API_TOKEN: "",
      ...env,
    },
  });
  const lastLines = async () => (await readFile(log, "utf8").catch(() => "")).split("\n").slice(-20).join("\n");
  const until = Date.now() + READY_MS_MAX;
  while (true) {
    const ready = await fetch(`${url}/readyz`).catch(() => null);
    if (ready?.ok) break;
    if (child.exitCode !== null || Date.now() > until) {
      child.kill("SIGKILL");
      throw new Error(`the server did not become ready\n${await lastLines()}`);
    }
    await new Promise((done) => setTimeout(done, 200));
  }
  const pages = await inFront(url);
  const stop = () => {
    pages.close();
    child.kill("SIGKILL");
  };
  return { url: pages.url, lastLines, stop };
}
