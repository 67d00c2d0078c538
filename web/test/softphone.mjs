// A telephone in a page: JsSIP in a real browser calls the real binary over a trunk's WebSocket, and its audio is the browser's own
// (ICE, DTLS-SRTP, Opus). It is greeted, asks by voice, is answered, holds, takes the call up again and hangs up.
//
//   node test/softphone.mjs ../target/debug/frontdesk QUESTION.wav
//
// Environment: CHROMIUM (default /usr/bin/chromium); WAIT_MS (longest wait for one step, default 60000);
// FRONTDESK_CONFORMANCE_NODE (where the package jssip is installed, default ../.frontdesk/conformance/node).
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "vite";
import { launch } from "./browser.mjs";
import { freePort, startFrontdesk } from "./frontdesk.mjs";
import { padWav } from "./wav.mjs";

const WAIT_MS = Number(process.env.WAIT_MS ?? 60_000);
/** The greeting is over when the caller speaks. */
const LEAD_MS = 9_000;
const NUMBER = "+4940555000";
const PASSWORD = "a-password-of-a-test";
const RTP_PORTS = 20;
const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const PACKAGES = process.env.FRONTDESK_CONFORMANCE_NODE ?? join(ROOT, ".frontdesk/conformance/node");

const [program, question] = process.argv.slice(2);
if (question === undefined) {
  console.error("usage: node test/softphone.mjs FRONTDESK QUESTION.wav");
  process.exit(2);
}

let step = "starting";
const begin = (name) => {
  step = name;
  console.log(`  ${name}`);
};

/** JsSIP as one script, which names itself `JsSIP`. */
async function library() {
  const entry = createRequire(`${resolve(PACKAGES)}/`).resolve("jssip");
  const lib = { entry, formats: ["iife"], name: "JsSIP" };
  const built = await build({
    configFile: false,
    logLevel: "error",
    define: { "process.env": "{}" },
    build: { write: false, lib },
  });
  return [built].flat()[0].output[0].code;
}

/** A page on this machine with nothing on it but the telephone. */
async function serve(script) {
  const server = createServer((request, response) => {
    const is_script = request.url === "/jssip.js";
    response.writeHead(200, { "content-type": is_script ? "text/javascript" : "text/html; charset=utf-8" });
    response.end(is_script ? script : '<!doctype html><title>Telephone</title><script src="/jssip.js"></script>');
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  return { url: `http://127.0.0.1:${server.address().port}/`, close: () => server.close() };
}

/** Runs in the page: calls, and keeps what happens in `window.phone`. */
function call({ socket, password, number }) {
  const { JsSIP } = window;
  const phone = { events: [], held: false };
  window.phone = phone;
  const agent = new JsSIP.UA({
    sockets: [new JsSIP.WebSocketInterface(socket)],
    uri: "sip:page@127.0.0.1",
    authorization_user: "page",
    password,
    register: false,
    session_timers: false,
  });
  agent.on("connected", () => {
    const note = (name) => (event) => phone.events.push({ name, by: event?.originator, cause: event?.cause });
    const eventHandlers = Object.fromEntries(
      ["progress", "accepted", "confirmed", "ended", "failed", "hold", "unhold"].map((name) => [name, note(name)]),
    );
    phone.session = agent.call(`sip:${number}@127.0.0.1`, {
      mediaConstraints: { audio: true, video: false },
      eventHandlers,
    });
    phone.session.connection.addEventListener("track", ({ track, streams }) => {
      // Chromium decodes nothing that nobody plays.
      const audio = new Audio();
      audio.srcObject = streams[0] ?? new MediaStream([track]);
      audio.play();
      phone.audio = audio;
    });
  });
  agent.start();
}

/** Runs in the page: what the browser says of the audio that it received, and how the way was made. */
async function figures() {
  const found = { energy: 0, packets: 0, lost: 0, codec: "", dtls: "", cipher: "" };
  const stats = await window.phone.session.connection.getStats();
  for (const one of stats.values()) {
    if (one.type === "inbound-rtp") {
      found.energy = one.totalAudioEnergy ?? 0;
      [found.packets, found.lost] = [one.packetsReceived, one.packetsLost];
      found.codec = stats.get(one.codecId)?.mimeType ?? "";
    }
    if (one.type === "transport") [found.dtls, found.cipher] = [one.dtlsState, one.srtpCipher];
  }
  return found;
}

async function until(what, look) {
  const end = Date.now() + WAIT_MS;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > end) throw new Error(`never: ${what}`);
    await new Promise((done) => setTimeout(done, 200));
  }
}

const has = (page, name) =>
  page.waitForFunction((name) => window.phone.events.some((event) => event.name === name), name);

/** Waits until the browser has heard so much more. */
async function hears(page, energy) {
  const { energy: before } = await page.evaluate(figures);
  return until("the agent is heard", async () => {
    const now = await page.evaluate(figures);
    return now.energy > before + energy && now;
  });
}

async function talk(page, server) {
  const api = async (path) => (await fetch(`${server.url}/api/v1${path}`)).json();
  begin("the page's call is taken, and the agent's greeting is heard");
  await has(page, "confirmed");
  const heard = await hears(page, 0.01);
  if (heard.codec !== "audio/opus" || heard.dtls !== "connected") throw new Error(JSON.stringify(heard));
  console.log(`  ${heard.codec}, ${heard.cipher}, ${heard.packets} packets, ${heard.lost} lost`);
  const [{ id }] = (await api("/calls")).items;

  begin("a spoken question is answered aloud");
  const kinds = async () => (await api(`/calls/${id}`)).journal.map(({ entry }) => entry.entry ?? entry);
  await until("the caller is understood and answered", async () => {
    const happened = await kinds();
    return happened.includes("caller_turn") && happened.lastIndexOf("agent_turn") > happened.indexOf("caller_turn");
  });

  begin("the page holds the call and takes it up again, over the same way");
  const state = async () => (await api(`/calls/${id}`)).call.state;
  await page.evaluate(() => window.phone.session.hold());
  await until("the call is on hold", async () => (await state()) === "paused");
  await page.evaluate(() => window.phone.session.unhold());
  await until("the call goes on", async () => (await state()) === "active");
  await fetch(`${server.url}/api/v1/calls/${id}/say`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ text: "One more thing: your bicycle is ready, and you may fetch it today." }),
  });
  await hears(page, 0.01);

  begin("the page hangs up");
  await page.evaluate(() => window.phone.session.terminate());
  await has(page, "ended");
  await until("the call is over", async () => (await state()) === "completed");
}

const home = await mkdtemp(join(tmpdir(), "frontdesk-softphone-"));
const [port, rtp] = [await freePort(), 40_000 + 2 * Math.floor(Math.random() * 5_000)];
const config = join(home, "frontdesk.toml");
await writeFile(
  config,
  `[sip]\nlisten = ["ws:127.0.0.1:${port}"]\nrtp_ports = "${rtp}-${rtp + RTP_PORTS - 1}"\n` +
    `[[sip.trunks]]\nname = "pages"\nhost = "192.0.2.1"\ntransport = "ws"\nuser = "page"\npassword = "${PASSWORD}"\n` +
    `[[numbers]]\nnumber = "${NUMBER}"\ncarrier = "sip"\nagent = "robin"\n`,
);
const microphone = join(home, "microphone.wav");
await padWav(question, microphone, LEAD_MS, 240_000);
const server = await startFrontdesk(program, home, { FRONTDESK_CONFIG: config });
const site = await serve(await library());
const browser = await launch(microphone, ["--allow-loopback-in-peer-connection"]);
let failed = false;
const said = [];
try {
  const page = await browser.newPage();
  page.setDefaultTimeout(WAIT_MS);
  page.on("console", (message) => said.push(message.text()));
  page.on("pageerror", (error) => said.push(error.message));
  await page.goto(site.url);
  await page.evaluate(call, { socket: `ws://127.0.0.1:${port}`, password: PASSWORD, number: NUMBER });
  await talk(page, server).catch(async (error) => {
    const events = await page.evaluate(() => JSON.stringify(window.phone?.events));
    throw new Error(`${error.message}\n${events}`);
  });
} catch (error) {
  failed = true;
  console.error(`failed at "${step}": ${error.message}\n${said.join("\n")}\n${await server.lastLines()}`);
} finally {
  await browser.close();
  site.close();
  server.stop();
  await rm(home, { recursive: true, force: true });
}
if (failed) process.exit(1);
console.log("ok");
process.exit(0);
