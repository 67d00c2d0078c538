// The pages that shape a business (agents, knowledge, settings, operations) in a real browser, against any running
// Frontdesk of one's own machine that lets businesses register themselves (`access.registration`). Each page's main job,
// then the axe rules, in light and dark, at the width of a desk and of a phone.
//
//   node test/shaping.mjs ../target/debug/frontdesk [agents voice flow knowledge settings security operations]
//   BASE_URL=http://127.0.0.1:8080 node test/shaping.mjs [agents voice flow knowledge settings security operations]
//
// Environment: BASE_URL (a server that runs; otherwise one of the program is started); CHROMIUM (default /usr/bin/chromium); SHOTS (folder for screenshots, default none).
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { launch, watch } from "./browser.mjs";
import { startFrontdesk } from "./frontdesk.mjs";
import { JOBS } from "./shaping-jobs.mjs";

const AXE = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const STEP_MS = 20_000;
const LOOKS = [
  { look: "light", width: 1280 },
  { look: "dark", width: 1280 },
  { look: "dark", width: 390 },
];

async function violations(page) {
  await page.evaluate(AXE);
  const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
  return [
    ...found.violations.map(
      ({ id, help, nodes }) => `${id}: ${help} (${nodes.map((node) => node.target.join(" ")).join(", ")})`,
    ),
    ...(overflow ? ["the page scrolls sideways"] : []),
  ];
}

export async function testShaping(baseUrl, wanted) {
  const browser = await launch(null);
  const failures = [];
  for (const [name, job] of Object.entries(JOBS)) {
    if (wanted.length > 0 && !wanted.includes(name)) continue;
    for (const look of LOOKS) failures.push(...(await inOneLook(browser, baseUrl, name, job, look)));
  }
  await browser.close();
  return failures;
}

/** The whole job in a browser that looks so: a page that changes its look while it is open is not what people have. */
async function inOneLook(browser, baseUrl, name, job, { look, width }) {
  const failures = [];
  const viewport = { width, height: 800 };
  const context = await browser.newContext({ viewport, colorScheme: look, reducedMotion: "reduce", locale: "en-GB" });
  const page = await context.newPage();
  page.setDefaultTimeout(STEP_MS);
  const bad = watch(page, baseUrl);
  const title = `${name}, ${look}, ${width}`;
  // A change that was refused because of somebody else's is part of the job; jobs name others.
  const allowed = ["412 (Precondition Failed)"];
  const allow = (words) => allowed.push(words);
  let step = "opening";
  const begin = (words) => {
    step = words;
    console.log(`  ${title}: ${words}`);
  };
  const check = async (view) => {
    for (const one of await violations(page)) failures.push(`${title}, ${view}: ${one}`);
    if (!process.env.SHOTS) return;
    const file = `${name}-${view.replaceAll(/\W+/g, "-")}-${look}-${width}.png`;
    await page.screenshot({ path: join(process.env.SHOTS, file) });
  };
  try {
    await job({ page, baseUrl, begin, check, allow });
  } catch (error) {
    const shot = join(process.env.SHOTS ?? tmpdir(), `failure-${name}-${look}-${width}.png`);
    await page.screenshot({ path: shot }).catch(() => {});
    failures.push(`${title}, "${step}": ${error.message} (${shot})`);
  }
  const wrong = bad.filter((line) => !allowed.some((words) => line.includes(words)));
  failures.push(...wrong.map((line) => `${title}: ${line}`));
  await context.close();
  return failures;
}

async function ownServer(program) {
  const home = await mkdtemp(join(tmpdir(), "frontdesk-shaping-"));
  const server = await startFrontdesk(program, home, {
    FRONTDESK_ACCESS_REGISTRATION: "true",
    FRONTDESK_KNOWLEDGE_PRIVATE_ADDRESSES: "true",
  });
  const stop = async () => {
    server.stop();
    await rm(home, { recursive: true, force: true });
  };
  return { url: server.url, stop };
}

if (process.argv[1]?.endsWith("shaping.mjs")) {
  const given = process.argv.slice(2);
  const running = { url: process.env.BASE_URL, stop: async () => {} };
  const server = running.url === undefined ? await ownServer(given.shift()) : running;
  const failures = await testShaping(server.url, given);
  await server.stop();
  for (const failure of failures) console.error(`FAILED ${failure}`);
  console.log(failures.length === 0 ? "ok" : `${failures.length} failed`);
  process.exit(failures.length === 0 ? 0 : 1);
}
