// A supervisor at a spoken call, in two real browsers against the real binary: hears it, whispers, takes it over by
// microphone, is heard by the caller, and hands it back. Each look of the panel is held against the axe rules.
//
//   node test/supervise.mjs ../target/debug/frontdesk QUESTION.wav SUPERVISOR.wav [--screenshots DIR]
//
// Environment: CHROMIUM (default /usr/bin/chromium); WAIT_MS (longest wait for one step, default 60000); PAGES (`dist`: the
// pages of web/dist instead of those in the program).
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { launch, watch } from "./browser.mjs";
import { startFrontdesk } from "./frontdesk.mjs";
import { padWav } from "./wav.mjs";

const AXE = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const WAIT_MS = Number(process.env.WAIT_MS ?? 60_000);
/** Silence before the caller's question: the supervisor joins meanwhile. */
const CALLER_LEAD_MS = 12_000;
/** From the opening of the microphone to the supervisor's first word. */
const SUPERVISOR_LEAD_MS = 1_500;
const LOOKS = [
  { name: "desktop, light", width: 1440, height: 900, scheme: "light" },
  { name: "desktop, dark", width: 1440, height: 900, scheme: "dark" },
  { name: "phone, light", width: 390, height: 844, scheme: "light" },
  { name: "phone, dark", width: 390, height: 844, scheme: "dark" },
];

const [program, question, voice, ...rest] = process.argv.slice(2);
if (voice === undefined) {
  console.error("usage: node test/supervise.mjs FRONTDESK QUESTION.wav SUPERVISOR.wav [--screenshots DIR]");
  process.exit(2);
}
const shots = rest[0] === "--screenshots" ? resolve(rest[1] ?? "../docs/images") : null;
if (shots !== null) await mkdir(shots, { recursive: true });

const problems = [];
let step = "starting";
const begin = (name) => {
  step = name;
  console.log(`  ${name}`);
};

/** The panel of a call in every look, each as a page of its own, against the axe rules. */
async function check(supervisor, view, show = async () => {}) {
  for (const { name, width, height, scheme } of LOOKS) {
    const viewport = { width, height };
    const more = { colorScheme: scheme, reducedMotion: "reduce", locale: "en-GB" };
    const context = await supervisor.browser.newContext({ viewport, ...more });
    const page = await context.newPage();
    page.setDefaultTimeout(WAIT_MS);
    await page.goto(supervisor.page.url());
    await page.locator('[data-line="open"]').waitFor();
    await page.locator("[data-live-turn]").first().waitFor();
    await show(page);
    await page.evaluate(AXE);
    const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
    for (const { id, help, nodes } of violations) {
      const where = nodes.map((node) => node.target.join(" ")).join(", ");
      problems.push(`${view}, ${name}: ${id}: ${help} (${where})`);
    }
    if (await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth)) {
      problems.push(`${view}, ${name}: the page scrolls sideways`);
    }
    const file = `${view}-${name.replace(", ", "-")}.png`;
    if (shots !== null) await page.screenshot({ path: join(shots, file) });
    await context.close();
  }
}

/** A browser of its own: the microphone is a setting of the whole program. */
async function personAt(server, microphone) {
  const browser = await launch(microphone);
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, locale: "en-GB" });
  const page = await context.newPage();
  page.setDefaultTimeout(WAIT_MS);
  page.on("dialog", (dialog) => dialog.accept());
  return { browser, page, bad: watch(page, server.url) };
}

const callerHeard = (caller) => caller.page.evaluate(() => window.__frontdesk.played_samples);
const desk = (supervisor) => supervisor.page.evaluate(() => window.__supervise);

/** Waits until a figure of the supervisor's audio path has grown by this much. */
async function grows(supervisor, figure, by) {
  const read = (path) => path.split(".").reduce((value, name) => value?.[name], window.__supervise) ?? 0;
  const from = await supervisor.page.evaluate(read, figure);
  await supervisor.page.waitForFunction(
    ([path, least]) => (path.split(".").reduce((value, name) => value?.[name], window.__supervise) ?? 0) >= least,
    [figure, from + by],
  );
}

async function asks(caller, text) {
  const field = caller.page.getByLabel("Type instead of speaking");
  await field.fill(text);
  await field.press("Enter");
}

const agentLines = (page) => page.locator('[data-live-turn="agent"][data-open="false"]').count();

async function talk(server, caller, supervisor) {
  begin("somebody calls the agent by voice");
  await caller.page.goto(`${server.url}/talk`);
  await caller.page.getByRole("button", { name: "Talk", exact: true }).click();
  await caller.page.locator('[data-role="agent"]').first().waitFor();

  begin("a supervisor sees the call on the wall and opens it by keyboard");
  await supervisor.page.goto(`${server.url}/live`);
  const card = supervisor.page.locator("[data-live-call]").first();
  await card.waitFor();
  await card.getByRole("button").focus();
  await supervisor.page.keyboard.press("Enter");
  await supervisor.page.locator('[data-line="open"]').waitFor();
  await grows(supervisor, "frames_heard.caller", 50);

  begin("L lets them listen");
  await supervisor.page.keyboard.press("l");
  await grows(supervisor, "report.played.caller", 16_000);

  begin("a spoken question and its answer are read and heard");
  await supervisor.page.locator('[data-live-turn="customer"]', { hasText: /open|saturday/i }).waitFor();
  await grows(supervisor, "report.played.agent", 16_000);
  await supervisor.page.locator('[data-live-turn="agent"][data-open="false"]').nth(1).waitFor();
  // Who is silent for long is asked whether they are there, and let go: the caller goes on.
  await asks(caller, "How much is a full service?");
  await check(supervisor, "live-call");
  await asks(caller, "When are you open on Sunday?");

  begin("the keys of the panel are listed");
  await supervisor.page.keyboard.press("?");
  await supervisor.page.getByRole("dialog").getByText("Take over", { exact: true }).waitFor();
  await supervisor.page.keyboard.press("Escape");
  await check(supervisor, "live-keys", async (page) => {
    await page.keyboard.press("?");
    await page.getByRole("dialog").waitFor();
  });

  begin("W whispers to the agent, and the caller sees nothing of it");
  await supervisor.page.keyboard.press("w");
  await supervisor.page.keyboard.type("Offer her a free check.");
  await supervisor.page.keyboard.press("Enter");
  await supervisor.page.locator('[data-desk="whispered"]', { hasText: "free check" }).waitFor();
  await supervisor.page.keyboard.press("Escape");
  if (await caller.page.getByText("free check").isVisible()) throw new Error("the caller sees the hint");
}

async function takesOver(caller, supervisor) {
  begin("T takes the call over: the agent falls silent, and the caller hears the supervisor");
  await supervisor.page.keyboard.press("t");
  await supervisor.page.locator('[data-holder="me"]').waitFor();
  await supervisor.page.locator('[data-live-phase="with_human"]').waitFor();
  // What it was saying when it was taken over ends a moment later.
  await supervisor.page.locator('[data-live-turn="agent"][data-open="true"]').first().waitFor({ state: "detached" });
  const agent = await agentLines(supervisor.page);
  const heard = await callerHeard(caller);
  await grows(supervisor, "frames_sent", 100);
  await caller.page.waitForFunction((least) => window.__frontdesk.played_samples > least, heard + 24_000);

  begin("what the supervisor says is recognised and written down");
  await supervisor.page.locator('[data-live-turn="person"]', { hasText: /workshop|bicycle|kim/i }).waitFor();
  if ((await desk(supervisor)).frames_heard.person === 0) throw new Error("listeners did not hear the supervisor");
  const { report } = await desk(supervisor);
  if (report.played.person > 0) throw new Error("the supervisor heard their own voice");

  begin("the panel keeps the axe rules while a person has the call");
  await check(supervisor, "live-taken-over", (page) => page.locator("[data-holder]").waitFor());

  begin("M mutes the supervisor and nobody else");
  await supervisor.page.keyboard.press("m");
  await supervisor.page.getByText("You are muted").waitFor();
  await supervisor.page.keyboard.press("m");
  if ((await agentLines(supervisor.page)) !== agent) throw new Error("the agent spoke while a person had the call");

  begin("the caller is put on hold, hears that, and is come back to");
  await supervisor.page.getByRole("button", { name: "Hold", exact: true }).click();
  await supervisor.page.locator('[data-desk="on_hold"]').waitFor();
  await caller.page.locator('[data-role="agent"]', { hasText: "on hold" }).waitFor();
  await supervisor.page.getByRole("button", { name: "Back to the caller" }).click();
  await supervisor.page.locator('[data-desk="off_hold"]').waitFor();

  begin("a second page of the same supervisor says that the caller hears the first one");
  const second = await supervisor.page.context().newPage();
  await second.goto(supervisor.page.url());
  await second.locator('[data-holder="elsewhere"]').waitFor();
  await second.getByRole("button", { name: "Speak here instead" }).waitFor();
  await second.close();
  await supervisor.page.locator('[data-holder="me"]').waitFor();

  begin("a page that is loaded anew still has the call, and speaks again");
  await supervisor.page.reload();
  await supervisor.page.locator('[data-holder="me"]').waitFor();
  await supervisor.page.getByRole("button", { name: "Open microphone" }).click();
  await grows(supervisor, "frames_sent", 50);

  begin("T hands it back, and the agent answers the caller");
  await supervisor.page.keyboard.press("t");
  await supervisor.page.locator("[data-holder]").waitFor({ state: "detached" });
  await supervisor.page.locator('[data-desk="handed_back"]').waitFor();
  const before = await agentLines(supervisor.page);
  await asks(caller, "How much is a full service?");
  await grows(supervisor, "report.played.agent", 16_000);
  await supervisor.page.waitForFunction(
    (least) => document.querySelectorAll('[data-live-turn="agent"][data-open="false"]').length > least,
    before,
  );
}

async function more(server, caller, supervisor) {
  begin("a line is said in the agent's voice");
  await supervisor.page.keyboard.press("s");
  await supervisor.page.keyboard.type("We also repair wheels.");
  await supervisor.page.keyboard.press("Enter");
  await caller.page.locator('[data-role="agent"]', { hasText: "We also repair wheels." }).waitFor();
  await supervisor.page.keyboard.press("Escape");

  begin("B is held down to speak in between, and let go");
  await supervisor.page.getByRole("heading", { level: 2 }).first().focus();
  await supervisor.page.keyboard.down("b");
  await supervisor.page.locator('[data-holder="me"]').waitFor();
  await grows(supervisor, "frames_sent", 20);
  await supervisor.page.keyboard.up("b");
  await supervisor.page.locator("[data-holder]").waitFor({ state: "detached" });

  begin("a supervisor who goes to another page still has the call, and the way back");
  await supervisor.page.keyboard.press("t");
  await supervisor.page.locator('[data-holder="me"]').waitFor();
  await supervisor.page.getByRole("link", { name: "Home" }).first().click();
  await supervisor.page.getByRole("link", { name: "You have a call" }).first().click();
  await supervisor.page.locator('[data-holder="me"]').waitFor();

  begin("a supervisor whose page is gone gives the call back");
  await supervisor.page.goto("about:blank");
  await caller.page.locator('[data-role="agent"]', { hasText: "back with you" }).waitFor();

  begin("who may not control calls reads along and is told so");
  await supervisor.page.route("**/api/v1/auth/me", async (route) => {
    const response = await route.fetch();
    const me = await response.json();
    me.permissions = me.permissions.filter((one) => one !== "calls:control");
    await route.fulfill({ response, json: me });
  });
  await supervisor.page.goto(`${server.url}/live`);
  await supervisor.page.locator("[data-live-call]").first().getByRole("button").click();
  await supervisor.page.getByText("Your role lets you read along").waitFor();
  if ((await supervisor.page.getByRole("button", { name: /Take over/ }).count()) > 0)
    throw new Error("a forbidden button");
  await supervisor.page.unroute("**/api/v1/auth/me");

  begin("the call is ended, and its page has what the person said");
  await supervisor.page.goto(`${server.url}/live`);
  await supervisor.page.locator("[data-live-call]").first().getByRole("button").click();
  await supervisor.page.locator('[data-line="open"]').waitFor();
  await supervisor.page.keyboard.press("e");
  await supervisor.page.getByRole("alertdialog").getByRole("button", { name: "End call" }).click();
  await supervisor.page.getByText("This call is over").first().waitFor();
  await supervisor.page.getByRole("link", { name: "See this call" }).click();
  await supervisor.page.locator('[data-line="person"]').first().waitFor();
}

async function waits(server, caller, supervisor) {
  const { page } = supervisor;
  begin("an agent lets its callers wait for a person");
  await page.goto(`${server.url}/agents/robin`);
  await page.getByLabel("How they are connected").selectOption("queue");
  await page.getByLabel("Longest wait, in minutes").fill("5");
  await page.getByRole("button", { name: "Save draft" }).click();
  await page.getByText("Draft differs").waitFor();
  await page.getByRole("button", { name: "Publish" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Publish" }).click();
  await page.getByRole("dialog", { name: "Publish" }).waitFor({ state: "detached" });

  begin("a caller who wants a person hears where they stand");
  await caller.page.goto(`${server.url}/talk`);
  await caller.page.getByRole("button", { name: "Talk", exact: true }).click();
  await caller.page.locator('[data-role="agent"]').first().waitFor();
  await asks(caller, "I want to talk to a human.");
  await caller.page.locator('[data-role="agent"]', { hasText: "number 1 in the queue" }).waitFor();

  begin("somebody sees them wait, and takes the next one");
  await page.goto(`${server.url}/live`);
  await page.locator("[data-waiting]", { hasText: "talk to a human" }).waitFor();
  await page.getByRole("button", { name: "Take the next one" }).click();
  await page.locator('[data-holder="me"]').waitFor();
  await page.locator("[data-waiting]").waitFor({ state: "detached" });
  await grows(supervisor, "frames_sent", 50);
}

const home = await mkdtemp(join(tmpdir(), "frontdesk-supervise-"));
const server = await startFrontdesk(program, home, {});
const people = [];
let failed = false;
try {
  const callerWav = join(home, "caller.wav");
  const supervisorWav = join(home, "supervisor.wav");
  await padWav(question, callerWav, CALLER_LEAD_MS, 240_000);
  await padWav(voice, supervisorWav, SUPERVISOR_LEAD_MS, 240_000);
  const caller = await personAt(server, callerWav);
  people.push(caller);
  const supervisor = await personAt(server, supervisorWav);
  people.push(supervisor);
  await talk(server, caller, supervisor);
  await takesOver(caller, supervisor);
  await more(server, caller, supervisor);
  await waits(server, caller, supervisor);
  problems.push(...caller.bad, ...supervisor.bad);
} catch (error) {
  failed = true;
  console.error(`failed at "${step}": ${error.message}`);
  for (const [at, { page, bad }] of people.entries()) {
    const path = join(tmpdir(), `frontdesk-supervise-failure-${at}.png`);
    await page.screenshot({ path }).catch(() => {});
    console.error(`screenshot: ${path}, ${page.url()}\n${bad.join("\n")}`);
  }
  console.error(await server.lastLines());
} finally {
  for (const { browser } of people) await browser.close();
  server.stop();
  await rm(home, { recursive: true, force: true });
}
for (const problem of problems) console.error(`  FAILED: ${problem}`);
if (failed || problems.length > 0) process.exit(1);
console.log("ok");
process.exit(0);
