// Every view against the axe rules (contrast, names, roles), light and dark, desktop and phone.
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { launch } from "./browser.mjs";
import { startFakeServer } from "./fake-server.mjs";

const AXE = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const SIZES = { desktop: { width: 1280, height: 800 }, phone: { width: 360, height: 640 } };

async function violations(page) {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
  return [
    ...violations.map(
      ({ id, help, nodes }) => `${id}: ${help} (${nodes.map((node) => node.target.join(" ")).join(", ")})`,
    ),
    ...(overflow ? ["the page scrolls sideways"] : []),
  ];
}

/** Visits every view; returns how many of them broke a rule. */
export async function testAccessibility() {
  const server = await startFakeServer();
  const browser = await launch(null);
  let failed = 0;
  for (const colorScheme of ["light", "dark"]) {
    for (const [size, viewport] of Object.entries(SIZES)) {
      const context = await browser.newContext({ viewport, colorScheme, reducedMotion: "reduce" });
      const page = await context.newPage();
      const check = async (view) => {
        const found = await violations(page);
        if (found.length > 0) {
          failed++;
          console.error(`  FAILED: ${view}, ${size}, ${colorScheme}:\n    ${found.join("\n    ")}`);
        }
      };
      await visit(page, server.url, check);
      await context.close();
    }
  }
  await browser.close();
  server.stop();
  if (failed === 0) console.log("  every view keeps the axe rules, light and dark, desktop and phone");
  return failed;
}

async function visit(page, url, check) {
  await page.goto(`${url}/talk`);
  await page.getByRole("heading", { name: "Talk to Robin" }).waitFor();
  await check("start");
  await page.getByRole("button", { name: "No microphone? Type instead" }).click();
  const field = page.getByLabel("Type instead of speaking");
  await page.locator('[data-role="agent"]').first().waitFor();
  await field.fill("How much is a full service?");
  await field.press("Enter");
  await page.getByText("A full service is").first().waitFor();
  await page.getByRole("button", { name: "Interrupt" }).click();
  await page.locator("[data-citation] summary").first().click();
  await check("in a call");
  await page.getByRole("button", { name: "End", exact: true }).click();
  await page.getByRole("link", { name: "See this call" }).waitFor();
  await check("call over");
  await page.getByRole("link", { name: "Calls" }).click();
  await page.locator("[data-call]").first().waitFor();
  await check("calls");
  await page.getByText("+44 20 7946 0018").click();
  await page.getByRole("slider", { name: "Position" }).waitFor();
  for (const details of await page.locator("details summary").all()) await details.click();
  await page
    .getByRole("button", { name: /Play from/ })
    .nth(1)
    .click();
  await check("call");
}
