// Every page of the dashboard in a real browser against the real binary: its main job, in light and dark and on a phone,
// with the axe rules over each.
//
//   node test/pages.mjs ../target/debug/frontdesk [--screenshots DIR]
//
// It starts servers of its own with empty data folders: one as on somebody's own machine, one that asks for a sign-in.
// Environment: CHROMIUM (default /usr/bin/chromium); WAIT_MS (longest wait for one step, default 60000); PARTS (some of
// jobs,looks,shaping,people; default all).
import { execFileSync } from "node:child_process";
import { createHmac } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { launch, watch } from "./browser.mjs";
import { startFrontdesk } from "./frontdesk.mjs";
import { testShaping } from "./shaping.mjs";

const AXE = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const WAIT_MS = Number(process.env.WAIT_MS ?? 60_000);
const SIZES = { desktop: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } };
const LOOKS = [
  { size: "desktop", colorScheme: "light" },
  { size: "desktop", colorScheme: "dark" },
  { size: "phone", colorScheme: "light" },
];
const QUESTIONS = ["When are you open on Saturday?", "How much is a full service?"];
const PARTS = (process.env.PARTS ?? "jobs,looks,shaping,people").split(",");
/** Of script, as it comes over the wire, before the code of a page. */
const FIRST_LOAD_BYTES_MAX = 250_000;
/** What goes in one packet anyhow. */
const PLAIN_BYTES_MAX = 1_400;
const PASSWORD = "a bicycle with two bells";

const [program, ...rest] = process.argv.slice(2);
if (program === undefined) {
  console.error("usage: node test/pages.mjs FRONTDESK [--screenshots DIR]");
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

/** What axe finds on the page as it is, and whether it can be pushed aside. */
async function check(page, name) {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  for (const { id, help, nodes } of violations) {
    problems.push(`${name}: ${id}: ${help} (${nodes.map((node) => node.target.join(" ")).join(", ")})`);
  }
  if (await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth)) {
    problems.push(`${name}: the page scrolls sideways`);
  }
}

async function open(browser, baseUrl, { size, colorScheme }, more = {}) {
  const context = await browser.newContext({
    viewport: SIZES[size],
    colorScheme,
    reducedMotion: "reduce",
    locale: "en-GB",
    ...more,
  });
  const page = await context.newPage();
  page.setDefaultTimeout(WAIT_MS);
  const bad = watch(page, baseUrl);
  return { context, page, bad };
}

async function call(server, lines) {
  const body = JSON.stringify({ agent: "robin", say: lines });
  const headers = { "content-type": "application/json" };
  const response = await fetch(`${server.url}/api/v1/test-calls`, { method: "POST", headers, body });
  if (!response.ok) throw new Error(`no test call: ${response.status} ${await response.text()}`);
  return (await response.json()).id;
}

async function untilOver(server, id) {
  const until = Date.now() + 2 * WAIT_MS;
  while (Date.now() < until) {
    const { call: row } = await (await fetch(`${server.url}/api/v1/calls/${id}`)).json();
    if (row.ended_at_ms !== null) return;
    await new Promise((done) => setTimeout(done, 250));
  }
  throw new Error(`call ${id} does not end`);
}

const heading = (page, name) => page.getByRole("heading", { level: 1, name });

/** Every page as it looks: where it is, and what is there when it is drawn. */
const pagesOf = (id) => [
  ["home", "/", (page) => page.locator("[data-call]").first().waitFor()],
  ["live", "/live", (page) => page.locator("[data-live-call]").first().waitFor()],
  ["calls", "/calls", (page) => page.locator("[data-call]").first().waitFor()],
  ["call", `/calls/${id}`, (page) => page.locator('[data-line="agent"]').first().waitFor()],
  ["talk", "/talk", (page) => page.getByRole("heading", { name: /^Talk to / }).waitFor()],
  ["start", "/start", (page) => heading(page, "First steps").waitFor()],
  ["agents", "/agents", (page) => heading(page, "Agents").waitFor()],
  ["knowledge", "/knowledge", (page) => heading(page, "Knowledge").waitFor()],
  ["settings", "/settings", (page) => heading(page, "Settings").waitFor()],
  ["operations", "/operations", (page) => page.locator("[data-provider]").first().waitFor()],
  ["not-found", "/no-such-page", (page) => page.getByText("There is no such page").waitFor()],
];

async function looks(browser, server, id) {
  for (const look of LOOKS) {
    const name = `${look.size}, ${look.colorScheme}`;
    begin(`every page keeps the axe rules: ${name}`);
    const { context, page, bad } = await open(browser, server.url, look);
    for (const [view, path, ready] of pagesOf(id)) {
      if (view === "live") await call(server, [...QUESTIONS, ...QUESTIONS, ...QUESTIONS]);
      await page.goto(server.url + path);
      await ready(page);
      await page.waitForLoadState("networkidle", { timeout: 2_000 }).catch(() => {});
      await check(page, `${view}, ${name}`);
      if (view === "call") {
        for (const tab of ["Timing", "Events"]) {
          await page.getByRole("tab", { name: tab }).click();
          await check(page, `call, ${tab}, ${name}`);
        }
        await page.getByRole("tab", { name: "Timing" }).click();
      }
      if (shots !== null) await page.screenshot({ path: join(shots, `${view}-${look.size}-${look.colorScheme}.png`) });
    }
    problems.push(...bad.map((line) => `${name}: ${line}`));
    await context.close();
  }
}

/** What a visitor's browser downloads before a page's own code: the document's script and all that it imports at once. */
async function firstLoad(browser, server) {
  begin("what is loaded first is small, and comes compressed");
  const { context, page } = await open(browser, server.url, LOOKS[0]);
  const scripts = [];
  page.on("response", (response) => response.url().endsWith(".js") && scripts.push(response));
  // Nothing after the first scripts: their own requests are not answered before they are counted.
  await page.route("**/api/**", (route) => route.abort());
  await page.goto(server.url, { waitUntil: "load" });
  const entry = await page.evaluate(() =>
    [...document.querySelectorAll('script[type="module"], link[rel="modulepreload"]')].map(
      (one) => one.getAttribute("src") ?? one.href,
    ),
  );
  const first = scripts.filter((one) => entry.some((path) => one.url().endsWith(new URL(path, server.url).pathname)));
  let bytes = 0;
  for (const response of first) {
    const packed = response.headers()["content-encoding"] === "gzip";
    if (!packed && (await response.body()).length > PLAIN_BYTES_MAX)
      problems.push(`${response.url()} is not compressed`);
    bytes += (await response.request().sizes()).responseBodySize;
  }
  console.log(`    ${first.length} scripts, ${(bytes / 1000).toFixed(1)} kB of them over the wire`);
  if (bytes === 0 || bytes > FIRST_LOAD_BYTES_MAX) problems.push(`the first load is ${bytes} bytes of script`);
  await context.close();
}

async function jobs(browser, server, id) {
  const { context, page, bad } = await open(browser, server.url, LOOKS[0], { acceptDownloads: true });

  begin("Home opens without a sign-in and counts today's calls");
  await page.goto(server.url);
  await page.getByText("Calls today").waitFor();
  await page.locator("[data-call]").first().waitFor();

  begin("the palette goes anywhere by name");
  await page.keyboard.press("Control+k");
  await page.getByRole("combobox", { name: "Go to or do anything" }).fill("calls");
  await check(page, "palette");
  await page.keyboard.press("Enter");
  await heading(page, "Calls").waitFor();

  begin("it knows the parts of the settings, too");
  await page.keyboard.press("Control+k");
  await page.getByRole("combobox", { name: "Go to or do anything" }).fill("webhooks");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 2, name: "Webhooks", exact: true }).waitFor();

  begin("g and a letter go to a page");
  await page.keyboard.press("g");
  await page.keyboard.press("h");
  await heading(page, "Home").waitFor();

  begin("the list of calls is narrowed, and the view is its address");
  await page.goto(`${server.url}/calls`);
  await page.locator("[data-call]").first().waitFor();
  await page.getByLabel("Direction").selectOption("outbound");
  await page.getByText("No call matches").waitFor();
  if (!page.url().includes("direction=outbound")) throw new Error(`the address is ${page.url()}`);
  await page.getByRole("button", { name: "Show all calls" }).click();
  await page.getByLabel("State").selectOption("completed");
  await page.getByRole("button", { name: "Save this view" }).click();
  await page.getByLabel("Name").fill("Done");
  await check(page, "save a view");
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await page.getByRole("button", { name: "Done", exact: true }).waitFor();

  begin("calls are found by what was said");
  await page.goto(`${server.url}/calls`);
  await page.getByRole("searchbox").fill("Saturday");
  await page.keyboard.press("Enter");
  await page.waitForURL(/q=Saturday/);
  await page.locator("[data-call]").first().waitFor();

  begin("the list is exported as a file");
  const [file] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("button", { name: "Export CSV" }).click(),
  ]);
  const text = await readFile(await file.path(), "utf8");
  if (!text.includes(id)) throw new Error("the file does not have the call");

  begin("a call opens with its words, its timing and its events");
  await page.goto(`${server.url}/calls`);
  await page.locator(`[data-call="${id}"]`).click();
  await page.locator('[data-line="caller"]').first().waitFor();
  await page.getByRole("tab", { name: "Timing" }).click();
  await page.locator("[data-turn-timing]").first().waitFor();
  await page.getByRole("tab", { name: "Events" }).click();
  await page.getByText("caller turn").first().waitFor();
  const [transcript] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("button", { name: "Transcript", exact: true }).click(),
  ]);
  if (!(await readFile(await transcript.path(), "utf8")).includes("Saturday")) throw new Error("no words in the file");

  begin("a note is written on the call, and a link shows it to somebody without an account until it is taken back");
  await page.getByLabel("Note", { exact: true }).fill("Wants a call back on Tuesday.");
  await page.getByRole("button", { name: "Save note" }).click();
  await page.getByRole("button", { name: "Save note" }).waitFor({ state: "detached" });
  await page.reload();
  await page.getByText("Wants a call back on Tuesday.").waitFor();
  await page.getByRole("button", { name: "Share this call" }).click();
  await check(page, "share a call");
  await page.getByRole("dialog").getByRole("button", { name: "Share this call" }).click();
  const link = await page.getByRole("dialog").locator("code").textContent();
  await check(page, "a link is made");
  await page.getByRole("dialog").getByRole("button", { name: "Close" }).last().click();
  const shared = `${server.url}${new URL(link).pathname}${new URL(link).hash}`;
  const guest = await open(browser, server.url, LOOKS[0]);
  await guest.page.goto(shared);
  await guest.page.locator('[data-line="agent"]').first().waitFor();
  await check(guest.page, "a shared call");
  await page.getByRole("button", { name: "Take back" }).click();
  await page.locator("[data-share]").waitFor({ state: "detached" });
  await guest.page.reload();
  await guest.page.getByText("This link leads nowhere any more").waitFor();
  await guest.context.close();

  begin("to call somebody, the page says what is missing");
  await page.goto(`${server.url}/calls`);
  await page.getByRole("button", { name: "Call somebody" }).click();
  await page.locator("[data-nobody-can-call]").waitFor();
  await check(page, "call somebody");
  await page.keyboard.press("Escape");

  begin("a live call appears by itself, is read, and is ended");
  await page.goto(`${server.url}/live`);
  await heading(page, "Live").waitFor();
  const running = await call(server, [...QUESTIONS, ...QUESTIONS, ...QUESTIONS, ...QUESTIONS]);
  const card = page.locator(`[data-live-call="${running}"]`);
  await card.waitFor();
  await card.getByRole("button").click();
  await page.locator("[data-live-turn]").first().waitFor();
  await check(page, "a live call");
  await page.getByRole("button", { name: "End call" }).click();
  await check(page, "end a call");
  await page.getByRole("alertdialog").getByRole("button", { name: "End call" }).click();
  await page.getByText("This call is over").waitFor();
  // The wall is drawn ten times a second, and on a busy machine less often.
  await card.waitFor({ state: "detached", timeout: 5_000 });

  begin("first steps: a document is taken in where one is asked for it");
  await page.goto(`${server.url}/start`);
  await page.getByText("Your documents", { exact: true }).click();
  await page.locator('input[type="file"]').setInputFiles({
    name: "parking.md",
    mimeType: "text/markdown",
    buffer: Buffer.from("# Parking\n\nThere are two parking bays behind the building.\n"),
  });
  await page.locator('[data-work-state="done"]').waitFor();
  await check(page, "first steps, a document");

  begin("first steps: an agent is created and can be talked to");
  await page.goto(`${server.url}/start`);
  await page.getByText("Your agent", { exact: true }).click();
  await page.getByRole("button", { name: "Create another agent" }).click();
  await page.getByLabel("Name of the agent").fill("Juniper");
  await page.getByLabel("How it should be").fill("You are friendly and brief.");
  await page.getByLabel("First words").fill("Hello, this is Juniper.");
  await check(page, "an agent is created");
  await page.getByRole("button", { name: "Create and publish" }).click();
  await page.getByText("Juniper answers from now on.").waitFor();
  await page.goto(`${server.url}/talk`);
  await page.locator('input[name=agent][value="juniper"]').check({ force: true });
  await page.getByRole("heading", { name: "Talk to Juniper" }).waitFor();

  begin("the pages can be installed, and open without a network to say so");
  await page.goto(server.url);
  await page.evaluate(async () => {
    await navigator.serviceWorker.ready;
  });
  await page.goto(`${server.url}/calls`);
  await page.locator("[data-call]").first().waitFor();
  const devtools = await context.newCDPSession(page);
  const { installabilityErrors } = await devtools.send("Page.getInstallabilityErrors");
  // A test's browser keeps nothing for itself, which is no fault of the pages.
  const lacking = installabilityErrors.filter(({ errorId }) => errorId !== "in-incognito");
  problems.push(...lacking.map(({ errorId }) => `the pages cannot be installed: ${errorId}`));
  // What is asked for without a network fails; that is told on the page, and on the console.
  const before = bad.length;
  await context.setOffline(true);
  await page.reload();
  await page.getByText("Frontdesk cannot be reached").first().waitFor();
  await check(page, "without a network");
  await context.setOffline(false);
  await heading(page, "Calls").waitFor();
  await page.locator("[data-call]").first().waitFor();
  const expected = /ERR_INTERNET_DISCONNECTED|cannot be reached/;
  bad.splice(before, bad.length, ...bad.slice(before).filter((line) => !expected.test(line)));

  begin("the pages speak Hindi");
  await page.goto(server.url);
  await page.getByRole("button", { name: /Account/ }).click();
  await page.getByRole("menuitem", { name: "हिन्दी" }).click();
  await heading(page, "होम").waitFor();
  if ((await page.evaluate(() => document.documentElement.lang)) !== "hi")
    throw new Error("the document is not in Hindi");
  await check(page, "Home in Hindi");
  problems.push(...bad);
  await context.close();
}

/** A code of RFC 6238, as authenticator apps make it. */
function totp(secret) {
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  const bits = [...secret].map((letter) => letters.indexOf(letter).toString(2).padStart(5, "0")).join("");
  const key = Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000)));
  const digest = createHmac("sha1", key).update(counter).digest();
  const at = (digest.at(-1) ?? 0) & 15;
  return String((digest.readUInt32BE(at) & 0x7fffffff) % 1_000_000).padStart(6, "0");
}

async function signedIn(browser, server, token) {
  const { context, page } = await open(browser, server.url, LOOKS[0]);
  begin("a server with people asks for a sign-in");
  await page.goto(`${server.url}/calls`);
  await heading(page, "Sign in").waitFor();
  await check(page, "sign in");
  if (shots !== null) await page.screenshot({ path: join(shots, "sign-in-desktop-light.png") });

  begin("a new person sets a password and signs in, and comes to where they wanted to go");
  await page.goto(`${server.url}/reset#token=${encodeURIComponent(token)}`);
  await page.getByLabel("New password").fill(PASSWORD);
  await check(page, "set a password");
  await page.getByRole("button", { name: "Set password" }).click();
  await heading(page, "Sign in").waitFor();
  await page.goto(`${server.url}/sign-in?to=%2Fcalls`);
  await page.getByLabel("E-mail address").fill("mira@brightleaf.example");
  await page.getByLabel("Password").fill("not the password");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByText("E-mail address, password or code is not right").waitFor();
  await check(page, "a wrong password");
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByRole("button", { name: "Sign in" }).click();
  await heading(page, "Calls").waitFor();

  begin("a session outlives its access token");
  await context.clearCookies({ name: "frontdesk_access" });
  await page.getByRole("link", { name: "Home" }).click();
  await heading(page, "Home").waitFor();
  await context.clearCookies({ name: "frontdesk_access" });
  await page.reload();
  await heading(page, "Home").waitFor();

  begin("a second factor is asked for once it is there");
  const { secret } = await page.evaluate(async () => (await fetch("/api/v1/auth/mfa", { method: "POST" })).json());
  const confirmed = await page.evaluate(async (code) => {
    const headers = { "content-type": "application/json" };
    const response = await fetch("/api/v1/auth/mfa/confirm", {
      method: "POST",
      headers,
      body: JSON.stringify({ code }),
    });
    return response.json();
  }, totp(secret));
  await page.getByRole("button", { name: /Account/ }).click();
  await page.getByRole("menuitem", { name: "Sign out" }).click();
  await heading(page, "Sign in").waitFor();
  await page.getByLabel("E-mail address").fill("mira@brightleaf.example");
  await page.getByLabel("Password").fill(PASSWORD);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByLabel("Code of your second factor").waitFor();
  await check(page, "second factor");
  await page.getByLabel("Code of your second factor").fill(confirmed.recovery_codes[0]);
  await page.getByRole("button", { name: "Sign in" }).click();
  await heading(page, "Home").waitFor();

  begin("register and join say what they need");
  for (const [path, name] of [
    ["/register", "Register your business"],
    ["/invitation#token=x", "Join your team"],
  ]) {
    await page.goto(server.url + path);
    await heading(page, name).waitFor();
    await check(page, name);
  }
  await context.close();
}

async function ownMachine() {
  begin("a server on somebody's own machine, with a call in it");
  const server = await startFrontdesk(program, join(home, "laptop"), {});
  servers.push(server);
  const id = await call(server, QUESTIONS);
  await untilOver(server, id);
  // The preview of web/dist compresses nothing.
  if (PARTS.includes("jobs") && process.env.PAGES !== "dist") await firstLoad(browser, server);
  if (PARTS.includes("jobs")) await jobs(browser, server, id);
  if (PARTS.includes("looks")) await looks(browser, server, id);
  server.stop();
}

/** The pages that shape a business; what they change is in nobody's way here. */
async function shaping() {
  begin("a server whose business is shaped");
  const server = await startFrontdesk(program, join(home, "shaping"), {
    FRONTDESK_ACCESS_REGISTRATION: "true",
    FRONTDESK_KNOWLEDGE_PRIVATE_ADDRESSES: "true",
  });
  servers.push(server);
  problems.push(...(await testShaping(server.url, [])));
  server.stop();
}

async function withPeople() {
  const data = join(home, "people");
  const admin = (...args) =>
    execFileSync(resolve(program), ["admin", ...args, "--data-dir", join(data, "data")], { encoding: "utf8" });
  admin("create-business", "brightleaf", "--name", "Brightleaf Cycles", "--time-zone", "Europe/Berlin");
  const printed = admin("create-user", "brightleaf", "mira@brightleaf.example", "--role", "owner");
  const token = printed.match(/\b(fd[a-z]*_\S+)/)?.[1] ?? printed.trim().split(/\s+/).at(-1);
  const server = await startFrontdesk(program, data, { FRONTDESK_SERVER_API_TOKEN: "a-token-of-the-installation" });
  servers.push(server);
  await signedIn(browser, server, token);
}

const home = await mkdtemp(join(tmpdir(), "frontdesk-pages-"));
const browser = await launch(null);
const servers = [];
let failed = false;
try {
  if (PARTS.includes("jobs") || PARTS.includes("looks")) await ownMachine();
  if (PARTS.includes("shaping")) await shaping();
  if (PARTS.includes("people")) await withPeople();
} catch (error) {
  failed = true;
  console.error(`failed at "${step}": ${error.message}`);
  for (const context of browser.contexts()) {
    for (const page of context.pages()) {
      const path = join(tmpdir(), "frontdesk-pages-failure.png");
      await page.screenshot({ path }).catch(() => {});
      console.error(`screenshot: ${path}, ${page.url()}`);
    }
  }
  for (const server of servers) console.error(await server.lastLines());
} finally {
  await browser.close();
  for (const server of servers) server.stop();
  await rm(home, { recursive: true, force: true });
}
for (const problem of problems) console.error(`  FAILED: ${problem}`);
if (failed || problems.length > 0) process.exit(1);
console.log("ok");
