// The pictures of docs/images: key pages of a shop that is open, taken from the real program.
//
//   node test/pictures.mjs ../target/debug/frontdesk [DIR [NAME...]]     (DIR: docs/images; NAME: these pictures alone)
//
// It starts a server of its own with an empty data folder, plays calls, and gives it something to know. Takes three minutes.
// Environment: CHROMIUM (default /usr/bin/chromium); PAGES=dist (pages of web/dist instead of those in the program).
import { mkdir, mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { launch } from "./browser.mjs";
import { SHOP } from "./demo-shop.mjs";
import { startFrontdesk } from "./frontdesk.mjs";

const WIDE = { width: 1280, height: 800 };
const PHONE = { width: 390, height: 844 };
const STEP_MS = 60_000;
/** A picture on a page of documentation should not be what one waits for. */
const BYTES_MAX = 200_000;

const [program, folder, ...wanted] = process.argv.slice(2);
if (program === undefined) {
  console.error("usage: node test/pictures.mjs FRONTDESK [DIR [NAME...]]");
  process.exit(2);
}
const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const out = resolve(folder ?? join(ROOT, "docs/images"));
await mkdir(out, { recursive: true });

const json = { "content-type": "application/json" };
async function send(server, method, path, body) {
  const init = body === undefined ? { method } : { method, headers: json, body: JSON.stringify(body) };
  const response = await fetch(`${server.url}/api/v1${path}`, init);
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
  return response.status === 204 ? null : response.json();
}

async function until(what, ready) {
  const end = Date.now() + 2 * STEP_MS;
  while (Date.now() < end) {
    const found = await ready();
    if (found) return found;
    await new Promise((done) => setTimeout(done, 400));
  }
  throw new Error(`${what} does not come`);
}

/** As soon as a line is free. */
const call = (server, say) =>
  until("a free line", () =>
    send(server, "POST", "/test-calls", { agent: "robin", say }).catch((error) => {
      if (!error.message.includes('"busy"')) throw error;
      return null;
    }),
  );
const over = (server, id) =>
  until(`the end of call ${id}`, async () => (await send(server, "GET", `/calls/${id}`)).call.ended_at_ms !== null);
const jobOver = (server, { id }) =>
  until(`the end of job ${id}`, async () =>
    ["done", "failed"].includes((await send(server, "GET", `/knowledge/jobs/${id}`)).state),
  );

/** What the shop knows, what it was asked, and how good its answers are. */
async function furnish(server) {
  for (const text of SHOP.texts) await jobOver(server, await send(server, "POST", "/knowledge/texts", text));
  await jobOver(server, await send(server, "POST", "/knowledge/pairs", SHOP.pairs));
  for (const one of SHOP.agents) {
    await send(server, "POST", "/agents", one);
    await send(server, "POST", `/agents/${one.slug}/publish`);
  }
  await send(server, "PUT", "/agents/robin/training", SHOP.training);
  await jobOver(server, await send(server, "POST", "/agents/robin/train"));
  const calls = [];
  for (const say of SHOP.calls) calls.push((await call(server, say)).id);
  for (const id of calls) await over(server, id);
  await send(server, "POST", "/knowledge/questions", { questions: await questions() });
  await jobOver(server, await send(server, "POST", "/knowledge/evaluations"));
  return calls[0];
}

/** Those that the repository measures itself with. */
async function questions() {
  const lines = (await readFile(join(ROOT, "fixtures/demo/questions-dev.tsv"), "utf8")).split("\n");
  return lines
    .filter((line) => line.includes("\t"))
    .slice(0, 60)
    .map((line) => line.split("\t"))
    .map(([expected, question]) => ({ question, expected: expected === "-" ? null : expected }));
}

const heading = (page, name) => page.getByRole("heading", { level: 1, name }).waitFor();
const first = (page, selector) => page.locator(selector).first().waitFor();

async function talking(page) {
  await page.getByRole("button", { name: "No microphone? Type instead" }).click();
  const heard = page.locator('[data-role="agent"][data-open="false"]');
  await heard.first().waitFor();
  const field = page.getByLabel("Type instead of speaking");
  await field.fill("How much is a full service?");
  await field.press("Enter");
  // With what it waited for beside it, which comes once it was heard.
  await heard.nth(1).waitFor();
}

/** One call of the wall is open and read along. */
async function followed(page) {
  await first(page, "[data-live-call]");
  await page.locator("[data-live-call]").first().getByRole("button").first().click();
  await first(page, "[data-live-turn]");
}

/** Each picture: its name, its look, where it is, and what has to be there. */
const pictures = (id) => [
  ["home", "light", WIDE, "/", (page) => first(page, "[data-call]")],
  ["live", "dark", WIDE, "/live", followed],
  ["live-phone", "light", PHONE, "/live", (page) => first(page, "[data-live-call]")],
  ["calls", "light", WIDE, "/calls", (page) => first(page, "[data-call]")],
  ["call", "dark", WIDE, `/calls/${id}`, (page) => first(page, '[data-line="agent"]')],
  ["talk", "light", WIDE, "/talk", talking],
  ["agent", "light", WIDE, "/agents/robin", (page) => heading(page, "Robin")],
  ["training", "light", WIDE, "/agents/robin?tab=training", (page) => first(page, '[data-trained="1"]')],
  ["knowledge", "light", WIDE, "/knowledge", (page) => first(page, "[data-document]")],
  [
    "question",
    "light",
    WIDE,
    `/knowledge?tab=try&question=${encodeURIComponent("What does it cost if I bring my bike back late?")}`,
    (page) => first(page, "[data-candidate]"),
  ],
  ["quality", "dark", WIDE, "/knowledge?tab=quality", (page) => first(page, "[data-report]")],
  ["settings", "light", WIDE, "/settings/providers", (page) => first(page, "h2")],
  ["flow", "light", WIDE, "/agents/orders?tab=flow", (page) => first(page, '[data-step="number"]')],
  ["graph", "light", WIDE, "/knowledge?tab=graph", (page) => first(page, "[data-spot]")],
  ["operations", "dark", WIDE, "/operations", (page) => first(page, "[data-provider]")],
];

async function take(browser, server, [name, colorScheme, viewport, path, ready]) {
  if (name.startsWith("live")) for (const say of SHOP.live) await call(server, say);
  const context = await browser.newContext({ viewport, colorScheme, reducedMotion: "reduce", locale: "en-GB" });
  const page = await context.newPage();
  page.setDefaultTimeout(STEP_MS);
  await page.goto(server.url + path);
  await ready(page);
  await page.waitForLoadState("networkidle", { timeout: 3_000 }).catch(() => {});
  // What has just been said elsewhere is in nobody's picture.
  if (name.startsWith("live")) await page.waitForTimeout(6_000);
  const file = join(out, `${name}.png`);
  await page.screenshot({ path: file });
  await context.close();
  const { size } = await stat(file);
  console.log(`  ${name}.png: ${Math.round(size / 1000)} kB`);
  if (size > BYTES_MAX) throw new Error(`${name}.png is larger than ${BYTES_MAX / 1000} kB`);
}

const home = await mkdtemp(join(tmpdir(), "frontdesk-pictures-"));
const browser = await launch(null);
const server = await startFrontdesk(program, home, {});
try {
  const id = await furnish(server);
  const all = pictures(id).filter(([name]) => wanted.length === 0 || wanted.includes(name));
  for (const picture of all) await take(browser, server, picture);
  console.log(`ok: ${out}`);
} catch (error) {
  console.error(`failed: ${error.message}\n${await server.lastLines()}`);
  process.exitCode = 1;
} finally {
  await browser.close();
  server.stop();
  await rm(home, { recursive: true, force: true });
}
