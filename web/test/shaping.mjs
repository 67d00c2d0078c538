// The pages that shape a business (agents, knowledge, settings, operations) in a real browser, against any running
// Frontdesk of one's own machine that lets businesses register themselves (`access.registration`). Each page's main job,
// then the axe rules, in light and dark, at the width of a desk and of a phone.
//
//   BASE_URL=http://127.0.0.1:8080 node test/shaping.mjs [agents knowledge settings operations]
//
// Environment: BASE_URL; CHROMIUM (default /usr/bin/chromium); SHOTS (folder for screenshots, default none).
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { launch, watch } from "./browser.mjs";
import { JOBS } from "./shaping-jobs.mjs";

const AXE = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const STEP_MS = 20_000;
const LOOKS = [
  { look: "light", width: 1280 },
  { look: "dark", width: 1280 },
  { look: "light", width: 390 },
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
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, reducedMotion: "reduce" });
    const page = await context.newPage();
    page.setDefaultTimeout(STEP_MS);
    const bad = watch(page, baseUrl);
    let step = "opening";
    const begin = (words) => {
      step = words;
      console.log(`  ${name}: ${words}`);
    };
    /** Looks at what is shown now, in every look. */
    const check = async (view) => {
      for (const { look, width } of LOOKS) {
        await page.emulateMedia({ colorScheme: look, reducedMotion: "reduce" });
        await page.setViewportSize({ width, height: 800 });
        // Colours follow within a moment.
        await page.waitForTimeout(200);
        for (const one of await violations(page)) failures.push(`${name}, ${view}, ${look}, ${width}: ${one}`);
        if (process.env.SHOTS) {
          const file = `${name}-${view.replaceAll(/\W+/g, "-")}-${look}-${width}.png`;
          await page.screenshot({ path: join(process.env.SHOTS, file) });
        }
      }
      await page.emulateMedia({ colorScheme: "light", reducedMotion: "reduce" });
      await page.setViewportSize({ width: 1280, height: 800 });
    };
    try {
      await job({ page, baseUrl, begin, check });
    } catch (error) {
      const shot = join(process.env.SHOTS ?? "/tmp", `failure-${name}.png`);
      await page.screenshot({ path: shot }).catch(() => {});
      failures.push(`${name}, "${step}": ${error.message} (${shot})`);
    }
    failures.push(
      ...bad.filter((line) => !line.includes("412 (Precondition Failed)")).map((line) => `${name}: ${line}`),
    );
    await context.close();
  }
  await browser.close();
  return failures;
}

if (process.argv[1]?.endsWith("shaping.mjs")) {
  const failures = await testShaping(process.env.BASE_URL ?? "http://127.0.0.1:8080", process.argv.slice(2));
  for (const failure of failures) console.error(`FAILED ${failure}`);
  console.log(failures.length === 0 ? "ok" : `${failures.length} failed`);
  process.exit(failures.length === 0 ? 0 : 1);
}
