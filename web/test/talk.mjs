// The Talk page in a real browser with a fake microphone, against any running Frontdesk.
//
//   BASE_URL=http://127.0.0.1:8080 node test/talk.mjs question.wav
//
// Environment: BASE_URL; CHROMIUM (default /usr/bin/chromium); AGENT (slug, default the first); QUESTION and
// LONG_QUESTION (typed; the second one's answer is interrupted); LEAD_MS (silence before the WAV, default 7000);
// WAIT_MS (longest wait for one step, default 60000); WEBRTC (1 or 0: which transport the page must use); SHOTS (folder for screenshots, default the system's temporary one).
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { launch, watch } from "./browser.mjs";
import { padWav } from "./wav.mjs";

const WAIT_MS = Number(process.env.WAIT_MS ?? 60_000);
const LEAD_MS = Number(process.env.LEAD_MS ?? 7_000);
const QUESTION = process.env.QUESTION ?? "How much is a full service?";
const LONG_QUESTION = process.env.LONG_QUESTION ?? "When are you open on Saturday?";

export async function testTalk(baseUrl, wavFile) {
  const folder = process.env.SHOTS ?? (await mkdtemp(join(tmpdir(), "frontdesk-talk-")));
  const microphone = join(folder, "microphone.wav");
  await padWav(wavFile, microphone, LEAD_MS, 120_000);
  const browser = await launch(microphone);
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
  page.setDefaultTimeout(WAIT_MS);
  const bad = watch(page, baseUrl);
  let step = "starting";
  const begin = (name) => {
    step = name;
    console.log(`  ${name}`);
  };
  try {
    await talk(page, baseUrl, begin);
    begin("nothing external was asked for, and the console is clean");
    if (bad.length > 0) throw new Error(bad.join("\n"));
    console.log("ok");
  } catch (error) {
    const shot = join(folder, "failure.png");
    await page.screenshot({ path: shot }).catch(() => {});
    throw new Error(`failed at "${step}": ${error.message}\n${bad.join("\n")}\nscreenshot: ${shot}`);
  } finally {
    await browser.close();
  }
}

async function talk(page, baseUrl, begin) {
  const audio = () => page.evaluate(() => window.__frontdesk);
  const agentTurns = page.locator('[data-role="agent"][data-open="false"]');
  const answered = (since) =>
    page.waitForFunction(
      (n) => {
        const lines = [...document.querySelectorAll("[data-role=agent], [data-role=caller]")];
        const last = lines.findLastIndex((line) => line.dataset.role === "caller");
        const answers = lines.slice(last + 1).filter((line) => line.querySelector("[data-text]").textContent !== "");
        return last >= 0 && lines.filter((line) => line.dataset.role === "caller").length > n && answers.length > 0;
      },
      since,
      { timeout: WAIT_MS },
    );

  begin("the page opens and knows its agents");
  await page.goto(`${baseUrl}/talk`);
  if (process.env.AGENT) await page.locator(`input[name=agent][value="${process.env.AGENT}"]`).check({ force: true });
  await page.getByRole("button", { name: "Talk", exact: true }).click();

  begin("the agent greets, and its voice is played");
  await page.locator('[data-role="agent"]').first().waitFor();
  await page.waitForFunction(() => window.__frontdesk.played_samples > 8_000);
  await agentTurns.first().waitFor();

  if (process.env.WEBRTC !== undefined) {
    begin(process.env.WEBRTC === "1" ? "the line is by WebRTC" : "the line is the WebSocket");
    const { webrtc } = await audio();
    if (webrtc !== Number(process.env.WEBRTC)) throw new Error(`webrtc is ${webrtc}`);
  }

  begin("a spoken question is answered");
  await answered(0);
  await page.waitForFunction(() => document.querySelector("[data-phase=listening]") !== null);
  const { frames_sent } = await audio();
  if (frames_sent < 50) throw new Error(`only ${frames_sent} frames of the microphone were sent`);

  begin("a typed question is answered aloud");
  const before = await audio();
  const callers = await page.locator('[data-role="caller"]').count();
  await type(page, QUESTION);
  await answered(callers);
  await page.waitForFunction((n) => window.__frontdesk.played_samples > n + 8_000, before.played_samples);

  begin("Interrupt silences the agent");
  await type(page, LONG_QUESTION);
  await answered(callers + 1);
  const cut = page.locator('[data-role="agent"][data-complete="false"][data-open="false"]');
  const cuts = await cut.count();
  const playing = (await audio()).played_samples;
  await page.waitForFunction((n) => window.__frontdesk.played_samples > n + 6_400, playing);
  await page.getByRole("button", { name: "Interrupt" }).click();
  await page.waitForFunction(() => window.__frontdesk.queued_samples === 0, null, { timeout: 500 });
  await cut.nth(cuts).waitFor();
  const silent = (await audio()).played_samples;
  await page.waitForTimeout(400);
  const leaked = (await audio()).played_samples - silent;
  if (leaked > 0) throw new Error(`${leaked} samples were played after the interruption`);

  begin("Escape ends the call");
  await page.keyboard.press("Escape");
  await page.locator("[data-ended]").waitFor();

  await replay(page, begin);
  const { underruns, played_samples } = await audio();
  console.log(`  heard ${(played_samples / 16_000).toFixed(1)} s, ${underruns} holes in speech`);
}

async function replay(page, begin) {
  begin("the call is in the list, with its transcript");
  await page.getByRole("link", { name: "See this call" }).click();
  await page.locator('[data-line="agent"]').first().waitFor();
  await page.locator('[data-line="caller"]').nth(2).waitFor();

  begin("the recording plays, and a line seeks");
  const player = page.getByRole("region", { name: "Recording" });
  const position = async () => Number(await player.getAttribute("data-position-ms"));
  await player.getByRole("button", { name: "Play", exact: true }).click();
  await page.waitForFunction(() => Number(document.querySelector("[data-position-ms]").dataset.positionMs) > 300);
  const earlier = await position();
  await page
    .locator('[data-line="agent"]')
    .last()
    .getByRole("button", { name: /Play from/ })
    .click();
  await page.waitForFunction(
    (from) => Number(document.querySelector("[data-position-ms]").dataset.positionMs) > from + 1_000,
    earlier,
  );
  await player.getByRole("button", { name: "Pause" }).click();

  begin("the list of calls shows it");
  await page.getByRole("link", { name: "Calls" }).first().click();
  await page.locator("[data-call]").first().waitFor();
}

async function type(page, text) {
  const field = page.getByLabel("Type instead of speaking");
  await field.fill(text);
  await field.press("Enter");
}

if (process.argv[1]?.endsWith("talk.mjs")) {
  const [wavFile] = process.argv.slice(2);
  if (wavFile === undefined) {
    console.error("usage: BASE_URL=http://127.0.0.1:8080 node test/talk.mjs question.wav");
    process.exit(2);
  }
  try {
    await testTalk(process.env.BASE_URL ?? "http://127.0.0.1:8080", wavFile);
  } catch (error) {
    console.error(error.message);
    process.exit(1);
  }
}
