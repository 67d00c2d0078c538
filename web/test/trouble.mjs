// What the page says when something is wrong: each case against the stand-in server, in a real browser.
import { launch, watch } from "./browser.mjs";
import { startFakeServer } from "./fake-server.mjs";

const CASES = {
  "all lines are busy": async ({ page, url }) => {
    await page.goto(`${url}/talk`);
    await page.locator('input[name=agent][value="busy"]').check({ force: true });
    await talk(page);
    await says(page, "All lines are busy. Please try again in a minute.");
    await page.getByRole("button", { name: "Back to the start" }).click();
    await page.getByRole("heading", { name: "Talk to Jo" }).waitFor();
  },

  "the microphone is refused, and typing works": async ({ url, open }) => {
    const page = await open(["--use-fake-ui-for-media-stream=deny"]);
    await page.goto(`${url}/talk`);
    await talk(page);
    await says(page, "The microphone is blocked for this page.");
    const field = page.getByLabel("Type instead of speaking");
    await field.fill("When are you open on Saturday?");
    await field.press("Enter");
    await page.getByText("On Saturdays the shop is open").first().waitFor();
    await page.waitForFunction(() => window.__frontdesk.played_samples > 4_000 && window.__frontdesk.frames_sent > 20);
  },

  "the server goes away in mid-call, and comes back": async ({ page, server, url, expectErrors }) => {
    await page.goto(`${url}/talk`);
    await talk(page);
    await page.locator('[data-role="agent"]').first().waitFor();
    expectErrors();
    server.stop();
    await says(page, "The connection was lost.");
    await page.getByRole("button", { name: "Talk again" }).click();
    await says(page, "Frontdesk cannot be reached. Is it still running?");
    await page.getByRole("link", { name: "Calls" }).click();
    await page.getByRole("alert").getByText("Frontdesk cannot be reached.").waitFor();
    const again = await startFakeServer(Number(new URL(url).port));
    await page.getByRole("button", { name: "Try again" }).click();
    await page.locator("[data-call]").first().waitFor();
    again.stop();
  },

  "the page is opened before the server is ready": async ({ page, url, expectErrors }) => {
    expectErrors();
    let ready = false;
    await page.route("**/api/v1/agents", (route) => (ready ? route.continue() : route.fulfill({ status: 503 })));
    await page.goto(`${url}/talk`);
    await says(page, "Frontdesk answered with error 503. Trying again");
    ready = true;
    await page.getByRole("heading", { name: "Talk to Robin" }).waitFor();
  },

  "the whole call by keyboard": async ({ page, url }) => {
    await page.goto(`${url}/talk`);
    await page.getByRole("heading", { name: "Talk to Robin" }).waitFor();
    await page.keyboard.press("Space");
    await page.locator('[data-phase="speaking"]').waitFor();
    await page.waitForFunction(() => window.__frontdesk.played_samples > 8_000);
    await page.keyboard.press("Space");
    await page.locator('[data-role="agent"][data-complete="false"][data-open="false"]').waitFor();
    await page.keyboard.press("m");
    await page.getByRole("button", { name: "Unmute" }).waitFor();
    await page.keyboard.press("Escape");
    await says(page, "You ended the call");
  },

  "a call that does not exist": async ({ page, url, expectErrors }) => {
    expectErrors();
    await page.goto(`${url}/calls/none`);
    await says(page, "No such call.");
  },
};

const talk = (page) => page.getByRole("button", { name: "Talk", exact: true }).click();
const says = (page, words) => page.getByText(words).first().waitFor();

/** Runs every case with a server and a browser page of its own; returns how many failed. */
export async function testTrouble() {
  let failed = 0;
  for (const [name, run] of Object.entries(CASES)) {
    const server = await startFakeServer();
    const browsers = [];
    let errorsExpected = false;
    let bad = [];
    const open = async (args = []) => {
      const browser = await launch(null, args);
      browsers.push(browser);
      const page = await browser.newPage();
      page.setDefaultTimeout(10_000);
      bad = watch(page, server.url);
      return page;
    };
    const expectErrors = () => {
      errorsExpected = true;
    };
    try {
      await run({ page: await open(), server, url: server.url, open, expectErrors });
      if (bad.length > 0 && !errorsExpected) throw new Error(bad.join("\n"));
      console.log(`  ${name}`);
    } catch (error) {
      failed++;
      console.error(`  FAILED: ${name}: ${error.message}`);
    }
    for (const browser of browsers) await browser.close();
    server.stop();
  }
  return failed;
}
