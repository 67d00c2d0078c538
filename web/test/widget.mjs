// The widget on pages of other origins, in a real browser with a fake microphone, against the real program.
//
//   node test/widget.mjs FRONTDESK question.wav
//
// Environment: CHROMIUM (default /usr/bin/chromium); LEAD_MS (silence before the WAV, default 6000); WAIT_MS (longest wait
// for one step, default 60000); SHOTS (folder for screenshots, default the system's temporary one).
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { launch } from "./browser.mjs";
import { startFrontdesk } from "./frontdesk.mjs";
import { padWav } from "./wav.mjs";

const WAIT_MS = Number(process.env.WAIT_MS ?? 60_000);
const LEAD_MS = Number(process.env.LEAD_MS ?? 6_000);
const AXE = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** A website of somebody else: one page that may load scripts of Frontdesk and nothing more. */
async function startWebsite(desk, key, lang = "en") {
  const policy = [
    "default-src 'none'",
    `script-src ${desk}`,
    `connect-src ${desk} ${desk.replace("http", "ws")}`,
    "require-trusted-types-for 'script'",
  ].join("; ");
  const page = `<!doctype html><html lang="${lang}"><title>A shop</title><main><h1>A shop</h1><p>Lamps.</p></main>
    <script src="${desk}/widget.js" data-key="${key}" async></script></html>`;
  const server = createServer((_request, response) => {
    response.writeHead(200, { "content-type": "text/html", "content-security-policy": policy }).end(page);
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  return { origin: `http://127.0.0.1:${server.address().port}`, stop: () => server.close() };
}

/** The server's own API, as whoever sits at this machine. */
function apiOf(desk) {
  return async (method, path, body) => {
    const headers = body === undefined ? {} : { "content-type": "application/json" };
    const response = await fetch(`${desk}/api/v1${path}`, { method, headers, body: JSON.stringify(body) });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return response.status === 204 || response.status === 202 ? null : response.json();
  };
}

async function violations(page) {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  return violations.map(
    ({ id, help, nodes }) => `${id}: ${help} (${nodes.map(({ target }) => target.flat().join(" "))})`,
  );
}

const agentSays = (page, pattern) =>
  page.locator('.message[data-role="agent"]').filter({ hasText: pattern }).first().waitFor();

async function write(page, text) {
  const field = page.getByLabel("Write a message");
  await field.fill(text);
  await field.press("Enter");
}

async function chats(page, website, api, begin) {
  begin("a visitor opens the widget by keyboard and reads the greeting");
  await page.goto(website.origin);
  const launcher = page.getByRole("button", { name: "Open chat" });
  await launcher.focus();
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").waitFor();
  await page.locator('.message[data-role="agent"]').first().waitFor();

  begin("a typed question is answered");
  await write(page, "When are you open on Saturday?");
  await agentSays(page, /\d/);
  const told = await page.locator(".message").count();
  if (told !== 3) throw new Error(`${told} messages stand there: the greeting must stand there once`);

  begin("the next page of the website goes on with the conversation");
  await page.reload();
  await page.getByRole("dialog").waitFor();
  await page.locator('.message[data-role="visitor"]', { hasText: "Saturday" }).waitFor();
  await write(page, "How much is a full service?");
  await agentSays(page, /service/i);
  const { items: calls } = await api("GET", "/calls?limit=10");
  const ours = calls.filter(({ carrier }) => carrier === "website");
  if (ours.length !== 1) throw new Error(`${ours.length} conversations began, one was wanted`);

  begin("a person takes over, says something, and hands back; the visitor sees it");
  const call = ours[0].id;
  await api("POST", `/calls/${call}/take-over`);
  await page.getByText("You are now with a person of our team.").first().waitFor();
  await api("POST", `/calls/${call}/say`, { text: "Mira here, how can I help?" });
  await page.locator(".message", { hasText: "Mira here, how can I help?" }).waitFor();
  await api("POST", `/calls/${call}/hand-back`);
  await page.locator("p.note").waitFor({ state: "hidden" });

  begin("Escape closes it and moves back to its button");
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "hidden" });
  const focused = await page.evaluate(() =>
    document.querySelector("[data-frontdesk]").shadowRoot.activeElement?.getAttribute("aria-label"),
  );
  if (focused !== "Open chat") throw new Error(`the focus is at ${focused}`);

  begin("no cookie was set");
  const cookies = await page.context().cookies();
  if (cookies.length > 0) throw new Error(cookies.map(({ name }) => name).join(", "));
}

async function talks(page, website, begin) {
  begin("a visitor writes, then speaks, and is answered aloud");
  await page.goto(website.origin);
  await page.getByRole("button", { name: "Open chat" }).click();
  await write(page, "Hello, do you sell tandems?");
  await page.locator(".message").nth(2).waitFor();
  await page.getByRole("button", { name: "Talk instead of writing" }).click();
  await page.locator('.message[data-role="visitor"]', { hasText: /saturday/i }).waitFor();
  await agentSays(page, /\d/);
  await page.getByText("Speaking", { exact: true }).waitFor();
  await page.getByRole("button", { name: "Stop talking" }).click();
  await page.getByRole("button", { name: "Talk instead of writing" }).waitFor();

  begin("the conversation goes on in writing");
  await write(page, "How much is a full service?");
  await agentSays(page, /service/i);
}

async function isMade(page, desk, begin) {
  begin("the dashboard makes a widget, gives its tag, and shows it");
  await page.goto(`${desk}/settings/widget`);
  await page.getByRole("button", { name: "New widget" }).click();
  await page.getByLabel("Name", { exact: true }).fill("Shop window");
  await page.getByLabel("Websites").fill("https://shop.example");
  const problems = await violations(page);
  if (problems.length > 0) throw new Error(problems.join("\n"));
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText(`<script src="${desk}/widget.js" data-key="fdw_`).waitFor();
  await page.getByRole("button", { name: "Close", exact: true }).last().click();
  await page.locator('[data-widget="Shop window"]').getByRole("button", { name: "Try it here" }).click();
  await page.getByRole("dialog", { name: /^Chat with/ }).waitFor();
  await page.locator('.message[data-role="agent"]').first().waitFor();
}

async function isRefused(page, website, begin) {
  begin("a website that is not on the list gets nothing");
  const said = [];
  page.on("console", (message) => said.push(message.text()));
  await page.goto(website.origin);
  await page.waitForFunction(() => document.readyState === "complete");
  const until = Date.now() + WAIT_MS;
  while (!said.some((text) => text.startsWith("Frontdesk widget:"))) {
    if (Date.now() > until) throw new Error(`nothing was said of it: ${said}`);
    await page.waitForTimeout(50);
  }
  if ((await page.locator("[data-frontdesk]").count()) > 0) throw new Error("the widget stands there");
}

async function keepsTheRules(browser, website, begin) {
  for (const colorScheme of ["light", "dark"]) {
    for (const viewport of [
      { width: 1280, height: 800 },
      { width: 360, height: 640 },
    ]) {
      begin(`axe: ${colorScheme}, ${viewport.width} pixels wide`);
      const context = await browser.newContext({ viewport, colorScheme, reducedMotion: "reduce" });
      const page = await context.newPage();
      page.setDefaultTimeout(WAIT_MS);
      await page.goto(website.origin);
      await page.getByRole("button", { name: "चैट खोलें" }).waitFor();
      const closed = await violations(page);
      await page.getByRole("button", { name: "चैट खोलें" }).click();
      await page.getByRole("button", { name: "सहमत हूँ, शुरू करें" }).waitFor();
      const asked = await violations(page);
      await page.getByRole("button", { name: "सहमत हूँ, शुरू करें" }).click();
      await page.getByLabel("संदेश लिखें").fill("When are you open on Saturday?");
      await page.keyboard.press("Enter");
      await page.locator(".message").nth(2).waitFor();
      const found = [...closed, ...asked, ...(await violations(page))];
      if (viewport.width < 480) {
        const box = await page.getByRole("dialog").boundingBox();
        if (box.width !== viewport.width || box.height !== viewport.height)
          found.push(`no full screen: ${JSON.stringify(box)}`);
      }
      if (process.env.SHOTS)
        await page.screenshot({ path: join(process.env.SHOTS, `widget-${colorScheme}-${viewport.width}.png`) });
      await context.close();
      if (found.length > 0) throw new Error(found.join("\n"));
    }
  }
}

export async function testWidget(program, wavFile) {
  const home = await mkdtemp(join(tmpdir(), "frontdesk-widget-"));
  const desk = await startFrontdesk(program, home, {});
  const microphone = join(home, "microphone.wav");
  await padWav(wavFile, microphone, LEAD_MS, 120_000);
  const browser = await launch(microphone);
  const stops = [];
  let step = "starting";
  const begin = (name) => {
    step = name;
    console.log(`  ${name}`);
  };
  const bad = [];
  const open = async (isClean) => {
    const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
    page.setDefaultTimeout(WAIT_MS);
    page.on("pageerror", (error) => bad.push(`uncaught: ${error.message}`));
    if (isClean) {
      page.on("console", (message) => {
        if (["error", "warning"].includes(message.type())) bad.push(`console: ${message.text()}`);
      });
    }
    return page;
  };
  try {
    const api = apiOf(desk.url);
    const { items: agents } = await api("GET", "/agents");
    const make = async (settings, lang) => {
      const made = await api("POST", "/widgets", { name: "site", agent: agents[0].id, ...settings });
      const website = await startWebsite(desk.url, made.key, lang);
      stops.push(website.stop);
      const patch = { method: "PATCH", headers: { "content-type": "application/json", "if-match": "*" } };
      const body = JSON.stringify({ origins: [website.origin] });
      await fetch(`${desk.url}/api/v1/widgets/${made.id}`, { ...patch, body });
      return { website, key: made.key };
    };
    const { website, key } = await make({});
    await chats(await open(true), website, api, begin);
    await talks(await open(true), website, begin);
    await isMade(await open(true), desk.url, begin);
    begin("the console stays clean under a strict content security policy");
    if (bad.length > 0) throw new Error(bad.join("\n"));
    const foreign = await startWebsite(desk.url, key);
    stops.push(foreign.stop);
    await isRefused(await open(false), foreign, begin);
    const hindi = await make(
      { languages: ["en", "hi"], consent: "यह बातचीत सहेजी जाती है।", theme: { colour: "#ffcc00" } },
      "hi",
    );
    await keepsTheRules(browser, hindi.website, begin);
    console.log("ok");
  } catch (error) {
    const pages = browser.contexts().flatMap((context) => context.pages());
    const shot = join(tmpdir(), "frontdesk-widget-failure.png");
    await pages
      .at(-1)
      ?.screenshot({ path: shot })
      .catch(() => {});
    const text = await pages
      .at(-1)
      ?.locator("[data-frontdesk]")
      .textContent()
      .catch(() => "");
    throw new Error(
      `failed at "${step}": ${error.message}\n${text}\n${bad.join("\n")}\n${shot}\n${await desk.lastLines()}`,
    );
  } finally {
    await browser.close();
    desk.stop();
    for (const stop of stops) stop();
    await rm(home, { recursive: true, force: true });
  }
}

await testWidget(process.argv[2], process.argv[3]);
