// A stand-in for the program behind the page: it serves web/dist, fakes the API, and holds the server's end of the
// media socket in real time (20 ms frames, 200 ms ahead, marks, clear, live events). For developing and testing the page.
//
//   node test/fake-server.mjs [port]      then open http://127.0.0.1:<port>
import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { WebSocketServer } from "ws";

const DIST = fileURLToPath(new URL("../dist", import.meta.url));
const HZ = 16_000;
const FRAME = 320;
const FRAME_MS = 20;
const LOOKAHEAD_MS = 200;
/** Louder than this is speech: -40 dB. */
const SPEECH_LEVEL = 0.01;
const PAUSE_MS = 600;
const BARGE_IN_MS = 300;
const MS_PER_CHAR = 55;

const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".webmanifest": "application/manifest+json",
};

const AGENTS = [
  {
    id: "0199a000-0000-7000-8000-000000000001",
    slug: "spoke",
    name: "Robin",
    business_name: "Spoke & Chain Bicycles",
    version: 1,
    status: "enabled",
    changed: false,
    revision: 1,
    updated_at_ms: 0,
    language: "en",
    greeting: "Spoke and Chain Bicycles, Robin speaking. How can I help?",
  },
  {
    id: "0199a000-0000-7000-8000-000000000002",
    slug: "busy",
    name: "Jo",
    business_name: "Always Engaged Ltd",
    version: 1,
    status: "enabled",
    changed: false,
    revision: 1,
    updated_at_ms: 0,
    language: "en",
    greeting: "Hello?",
  },
];

const BUSINESS = {
  id: "0199a000-0000-7000-8000-0000000000b1",
  slug: "spoke",
  name: "Spoke & Chain",
  time_zone: "UTC",
  version: 1,
};
/** Somebody's own machine: nobody signs in. */
const ME = {
  kind: "installation",
  business: BUSINESS.id,
  business_slug: BUSINESS.slug,
  permissions: ["business:read", "agents:read", "calls:read", "calls:place", "recordings:read", "events:read"],
};

const ANSWERS = [
  {
    match: /hour|open|saturday|sunday|close/i,
    text: "On Saturdays the shop is open from nine to four. On Sundays we are closed, but you can drop a bicycle off in the night box at any time.",
    citations: [
      {
        document: "Opening hours",
        section: "Weekends",
        quote: "Saturday 9 to 16. Closed on Sunday. The night box at the side door takes bicycles at any time.",
      },
    ],
  },
  {
    match: /cost|price|much|service|repair/i,
    text: "A full service is eighty nine pounds and takes two working days. A quick check while you wait is twenty five.",
    citations: [
      {
        document: "Price list",
        section: "Workshop",
        quote: "Full service 89.00, two working days. Quick check 25.00.",
      },
      {
        document: "Workshop terms",
        section: "Waiting times",
        quote: "Quick checks are done while the customer waits.",
      },
    ],
  },
  {
    match: /book|appointment/i,
    tool: "find_free_slot",
    text: "The next free slot in the workshop is Tuesday at ten in the morning. Shall I book it for you?",
    citations: [],
  },
];
const OTHERWISE = {
  text: "I have nothing about that in my documents. I can ask a colleague to call you back, if you like. They are in from nine tomorrow.",
  citations: [],
};

/** One finished or running call, with its journal and both sides of its audio. */
class CallLog {
  constructor(agent, startedAtMs) {
    this.startedAtMs = startedAtMs;
    this.call = {
      id: randomUUID(),
      agent: agent.id,
      conversation: randomUUID(),
      direction: "inbound",
      carrier: "browser",
      carrier_ref: null,
      customer: null,
      number: null,
      state: "active",
      started_at_ms: startedAtMs,
      answered_at_ms: startedAtMs,
      ended_at_ms: null,
      ended_reason: null,
      recorded: false,
      cost_usd_micros: 0,
    };
    this.journal = [];
    this.sides = [[], []];
    this.append(0, { entry: "started", direction: "inbound" });
  }

  append(at, entry) {
    this.journal.push({ seq: this.journal.length + 1, at: Math.round(at), entry });
  }

  /** Writes audio of one side at its place in time. */
  record(side, at_ms, samples) {
    const from = Math.max(this.sides[side].at(-1)?.end ?? 0, Math.round((at_ms * HZ) / 1000));
    this.sides[side].push({ from, end: from + samples.length, samples });
  }

  end(at, reason) {
    if (this.call.ended_at_ms !== null) return;
    this.append(at, { entry: "ended", reason, state: "completed", duration: Math.round(at) });
    this.call.state = "completed";
    this.call.ended_reason = reason;
    this.call.ended_at_ms = this.startedAtMs + Math.round(at);
    this.call.recorded = true;
    this.call.cost_usd_micros = Math.round(at * 0.11);
  }

  wav() {
    const frames = Math.round(((this.call.ended_at_ms ?? Date.now()) - this.startedAtMs) * (HZ / 1000));
    const bytes = Buffer.alloc(44 + frames * 4);
    bytes.write("RIFF", 0);
    bytes.writeUInt32LE(36 + frames * 4, 4);
    bytes.write("WAVEfmt ", 8);
    bytes.writeUInt32LE(16, 16);
    bytes.writeUInt16LE(1, 20);
    bytes.writeUInt16LE(2, 22);
    bytes.writeUInt32LE(HZ, 24);
    bytes.writeUInt32LE(HZ * 4, 28);
    bytes.writeUInt16LE(4, 32);
    bytes.writeUInt16LE(16, 34);
    bytes.write("data", 36);
    bytes.writeUInt32LE(frames * 4, 40);
    this.sides.forEach((pieces, side) => {
      for (const { from, samples } of pieces) {
        for (let i = 0; i < samples.length && from + i < frames; i++) {
          bytes.writeInt16LE(samples[i], 44 + (from + i) * 4 + side * 2);
        }
      }
    });
    return bytes;
  }
}

/** Something that looks and sounds like talking without being speech: a hum with syllables and pauses. */
function babble(text, pitch_hz) {
  const samples = new Int16Array(Math.round((text.length * MS_PER_CHAR * HZ) / 1000));
  const perChar = (MS_PER_CHAR * HZ) / 1000;
  let phase = 0;
  for (let i = 0; i < samples.length; i++) {
    const char = text.charCodeAt(Math.floor(i / perChar));
    const next = text.charCodeAt(Math.floor(i / perChar) + 1) || 32;
    const mix = (i % perChar) / perChar;
    const loud = (c) => (c < 65 ? 0.03 : 0.35 + ((c * 37) % 29) / 45);
    phase += (2 * Math.PI * pitch_hz * (1 + ((char * 13) % 17) / 60)) / HZ;
    const voice = Math.sin(phase) + 0.5 * Math.sin(2 * phase + 1) + 0.3 * Math.sin(5 * phase);
    samples[i] = voice * (loud(char) * (1 - mix) + loud(next) * mix) * 5200;
  }
  return samples;
}

function rms(samples) {
  let power = 0;
  for (const sample of samples) power += (sample / 32768) ** 2;
  return Math.sqrt(power / Math.max(1, samples.length));
}

/** One call: the state machine of a real engine, reduced to what the page can see. */
class FakeCall {
  constructor(socket, agent, calls) {
    this.socket = socket;
    this.log = new CallLog(agent, Date.now());
    this.begun = performance.now();
    this.turn = 0;
    this.speaking = null;
    this.timers = new Set();
    this.loudMs = 0;
    this.quietMs = 0;
    this.heardMs = 0;
    this.marks = 0;
    calls.unshift(this.log);
    this.live({ event: "state", state: "active" });
    this.say(agent.greeting, [], null);
  }

  get at() {
    return Math.round(performance.now() - this.begun);
  }

  live(event) {
    if (this.socket.readyState === 1) this.socket.send(JSON.stringify({ type: "live", at: this.at, ...event }));
  }

  later(ms, action) {
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      action();
    }, ms);
    this.timers.add(timer);
  }

  onAudio(bytes) {
    const samples = new Int16Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
    this.log.record(0, this.at - FRAME_MS, samples);
    if (rms(samples) > SPEECH_LEVEL) this.onLoudFrame();
    else this.onQuietFrame();
  }

  onLoudFrame() {
    this.loudMs += FRAME_MS;
    this.quietMs = 0;
    if (this.loudMs === 60) this.live({ event: "caller_speaking", speaking: true });
    if (this.loudMs >= BARGE_IN_MS && this.speaking) this.interrupt();
    const guess = "When are you open on Saturday".split(" ");
    const words = Math.min(guess.length, Math.floor(this.loudMs / 240));
    if (this.loudMs % 240 === 0 && words > 0) this.live({ event: "partial", text: guess.slice(0, words).join(" ") });
  }

  onQuietFrame() {
    if (this.loudMs === 0) return;
    this.quietMs += FRAME_MS;
    if (this.quietMs < PAUSE_MS) return;
    const said = this.loudMs >= BARGE_IN_MS;
    this.loudMs = 0;
    this.live({ event: "caller_speaking", speaking: false });
    if (said) this.onTurn("When are you open on Saturday?", false);
  }

  onTurn(text, typed) {
    if (this.speaking) this.interrupt();
    this.turn++;
    this.log.append(this.at, { entry: "caller_turn", turn: this.turn, text, ...(typed ? { typed } : {}) });
    this.live({ event: "caller_turn", turn: this.turn, text });
    this.live({ event: "phase", phase: "thinking" });
    const answer = ANSWERS.find(({ match }) => match.test(text)) ?? OTHERWISE;
    const jitter = Math.round(Math.random() * 120);
    const latency = {
      endpoint_ms: typed ? 0 : 310 + jitter,
      transcript_ms: typed ? 0 : 255,
      first_token_ms: (typed ? 70 : 395) + jitter,
      first_audio_ms: (typed ? 190 : 530) + jitter,
      heard_ms: (typed ? 240 : 585) + jitter,
    };
    if (answer.tool) this.runTool(answer.tool);
    this.later(240 + jitter + (answer.tool ? 500 : 0), () => this.say(answer.text, answer.citations, latency));
  }

  runTool(name) {
    this.log.append(this.at, { entry: "tool_started", id: this.turn, name, args: { service: "full" } });
    this.live({ event: "phase", phase: "waiting_tool" });
    this.live({ event: "tool", name, status: "started" });
    this.later(450, () => {
      this.log.append(this.at, { entry: "tool_finished", id: this.turn, name, ok: true, result: "Tuesday 10:00" });
      this.live({ event: "tool", name, status: "finished" });
    });
  }

  say(text, citations, latency) {
    this.live({ event: "phase", phase: "speaking" });
    for (const sentence of text.match(/[^.?!]+[.?!]?/g)) {
      this.live({ event: "agent_saying", turn: this.turn, text: sentence.trim() });
    }
    const samples = babble(text, 128);
    this.speaking = { text, citations, latency, samples, sent: 0, since: performance.now(), mark: null };
    this.pump();
  }

  /** Keeps the page 200 ms ahead, as the real pacer does. */
  pump() {
    const now = this.speaking;
    if (now === null || this.socket.readyState !== 1) return;
    const due = ((performance.now() - now.since + LOOKAHEAD_MS) * HZ) / 1000;
    while (now.sent < Math.min(due, now.samples.length)) {
      const frame = now.samples.subarray(now.sent, now.sent + FRAME);
      this.log.record(1, this.at, frame);
      this.socket.send(Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength));
      now.sent += frame.length;
    }
    if (now.sent >= now.samples.length && now.mark === null) {
      now.mark = ++this.marks;
      this.socket.send(JSON.stringify({ type: "mark", id: now.mark }));
    }
    this.later(FRAME_MS, () => this.pump());
  }

  onMark(id) {
    if (this.speaking?.mark !== id) return;
    this.finishSpeaking(this.speaking.text, true);
  }

  interrupt() {
    if (this.speaking === null) return;
    this.socket.send(JSON.stringify({ type: "clear" }));
    const heard_ms = Math.max(0, performance.now() - this.speaking.since - 60);
    const heard = this.speaking.text.slice(0, Math.floor(heard_ms / MS_PER_CHAR)).replace(/\s*\S*$/, "");
    this.finishSpeaking(heard, false);
  }

  finishSpeaking(heard, complete) {
    const { citations, latency } = this.speaking;
    this.speaking = null;
    this.log.append(this.at, {
      entry: "agent_turn",
      turn: this.turn,
      utterance: this.log.journal.length,
      heard,
      complete,
      ...(citations.length > 0 ? { citations } : {}),
      ...(latency ? { latency } : {}),
    });
    this.live({ event: "agent_turn", turn: this.turn, text: heard, complete, citations, latency });
    this.live({ event: "phase", phase: "listening" });
  }

  end(reason) {
    if (this.speaking) this.interrupt();
    for (const timer of this.timers) clearTimeout(timer);
    if (this.log.call.ended_at_ms !== null) return;
    this.log.end(this.at, reason);
    this.live({ event: "ended", reason });
    this.socket.close(1000);
  }
}

/** A call of yesterday in which everything happened, so that the page of a call has all of it to show. */
function richCall() {
  const log = new CallLog(AGENTS[0], Date.now() - 26 * 3_600_000);
  Object.assign(log.call, { carrier: "loopback", customer: "+44 20 7946 0018", number: "+44 20 7946 0999" });
  let at = 400;
  const speak = (side, text) => {
    log.record(side, at, babble(text, side === 0 ? 190 : 128));
    at += text.length * MS_PER_CHAR;
  };
  const agent = (turn, text, more = {}) => {
    speak(1, text);
    log.append(at, { entry: "agent_turn", turn, utterance: turn, heard: text, complete: true, ...more });
  };
  const caller = (turn, text) => {
    at += 700;
    speak(0, text);
    at += 330;
    log.append(at, { entry: "caller_turn", turn, text });
    at += 280;
  };
  const latency = (n) => ({
    endpoint_ms: 300 + n,
    transcript_ms: 244,
    first_token_ms: 372 + n,
    first_audio_ms: 498 + n,
    heard_ms: 560 + n,
  });
  agent(0, AGENTS[0].greeting);
  caller(1, "Hi, how much is a full service?");
  agent(1, ANSWERS[1].text, { citations: ANSWERS[1].citations, latency: latency(12) });
  caller(2, "And when could I bring it in? I'd like to book.");
  log.append(at, { entry: "tool_started", id: 1, name: "find_free_slot", args: { service: "full service" } });
  log.append(at + 180, { entry: "tool_finished", id: 1, name: "find_free_slot", ok: true, result: "Tuesday 10:00" });
  log.append(at + 200, { entry: "fault", stage: "tts", class: "timeout" });
  at += 900;
  agent(2, "The next free slot in the workshop is Tuesday at ten", { complete: false, latency: latency(610) });
  at -= 600;
  caller(3, "Tuesday is fine.");
  log.append(at, { entry: "confirmation_asked", id: 2, name: "book_slot", args: { at: "Tuesday 10:00" } });
  agent(3, "Shall I book Tuesday at ten for you?", { latency: latency(60) });
  caller(4, "Yes please.");
  log.append(at, { entry: "confirmation_answered", id: 2, yes: true });
  log.append(at, { entry: "tool_started", id: 2, name: "book_slot", args: { at: "Tuesday 10:00" } });
  log.append(at + 260, {
    entry: "tool_finished",
    id: 2,
    name: "book_slot",
    ok: true,
    result: "booked, reference B-1042",
  });
  at += 500;
  agent(4, "Done. You will get a text message with the reference. Goodbye!", { latency: latency(240) });
  log.end(at + 400, "agent");
  return log;
}

function earlierCalls() {
  const calls = [richCall()];
  for (let i = 0; i < 27; i++) {
    const log = new CallLog(AGENTS[0], Date.now() - (30 + i * 5) * 3_600_000);
    const missed = i % 6 === 4;
    Object.assign(log.call, {
      carrier: "loopback",
      customer: `+44 20 7946 0${100 + i}`,
      direction: i % 4 === 3 ? "outbound" : "inbound",
    });
    log.end(missed ? 0 : 20_000 + ((i * 37_123) % 200_000), missed ? "no_answer" : i % 3 ? "agent" : "hung_up");
    if (missed) log.call.state = "no_answer";
    log.call.recorded = false;
    calls.push(log);
  }
  return calls;
}

function problem(response, status, title) {
  response.writeHead(status, { "content-type": "application/problem+json" });
  response.end(JSON.stringify({ type: "about:blank", title, status }));
}

function answerApi(url, response, calls) {
  const json = (value) => {
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify(value));
  };
  if (url.pathname === "/api/v1/webrtc/browser") return json({ enabled: false, ice_servers: [] });
  if (url.pathname === "/api/v1/agents") return json({ items: AGENTS, next_cursor: null });
  if (url.pathname === "/api/v1/auth/me") return json(ME);
  if (url.pathname === "/api/v1/business") return json(BUSINESS);
  if (url.pathname === "/api/v1/branding") return json({ version: 0 });
  if (url.pathname === "/api/v1/snapshot") return json({ seq: 0, calls: [], truncated: false });
  if (url.pathname === "/api/v1/events") return quietStream(response);
  if (url.pathname === "/api/v1/calls") {
    const from = Number(url.searchParams.get("cursor") ?? 0);
    const limit = Number(url.searchParams.get("limit") ?? 20);
    const more = from + limit < calls.length;
    const items = calls.slice(from, from + limit).map(({ call }) => call);
    return json({ items, next_cursor: more ? String(from + limit) : null });
  }
  const [, id, part] = url.pathname.match(/^\/api\/v1\/calls\/([^/]+)(\/(?:recording|note|shares))?$/) ?? [];
  const log = calls.find(({ call }) => call.id === id);
  if (log === undefined) return problem(response, 404, "No such call.");
  if (part === undefined) {
    return json({
      call: log.call,
      live: log.call.ended_at_ms === null,
      packets: false,
      costs: [],
      journal: log.journal,
    });
  }
  if (part === "/note") return json({ text: "", version: 0 });
  if (part === "/shares") return json({ items: [], next_cursor: null });
  if (!log.call.recorded) return problem(response, 404, "This call was not recorded.");
  response.writeHead(200, { "content-type": "audio/wav" });
  response.end(log.wav());
}

/** Live events of a business where nothing happens. */
function quietStream(response) {
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
  response.write('event: stream.ready\nid: 0\ndata: {"seq":0,"kind":"stream.ready"}\n\n');
}

async function answerFile(url, response) {
  // Every path without a dot is a route of the page itself, as in the real program.
  const name = normalize(extname(url.pathname) === "" ? "/index.html" : url.pathname);
  try {
    const body = await readFile(join(DIST, name));
    response.writeHead(200, { "content-type": TYPES[extname(name)] ?? "application/octet-stream" });
    response.end(body);
  } catch {
    response.writeHead(404).end("not found");
  }
}

function onSocket(socket, calls) {
  let call = null;
  socket.on("message", (data, binary) => {
    if (binary) return call?.onAudio(data);
    const message = JSON.parse(data.toString());
    if (message.type === "start") {
      const agent = AGENTS.find(({ slug }) => slug === message.agent);
      if (agent === undefined) return socket.close(1008, "there is no such agent");
      if (agent.slug === "busy") return socket.close(1013, "all lines are busy");
      call = new FakeCall(socket, agent, calls);
      return;
    }
    if (call === null) return socket.close(1008, "the first message must be start");
    if (message.type === "text") call.onTurn(message.text, true);
    else if (message.type === "mark") call.onMark(message.id);
    else if (message.type === "interrupt") call.interrupt();
    else if (message.type === "end") call.end("hung_up");
  });
  socket.on("close", () => call?.end("hung_up"));
}

/** Starts the stand-in; port 0 takes a free one. Resolves to its address and a way to stop it. */
export async function startFakeServer(port = 0) {
  const calls = earlierCalls();
  const server = createServer((request, response) => {
    const url = new URL(request.url, "http://localhost");
    if (url.pathname.startsWith("/api/")) answerApi(url, response, calls);
    else answerFile(url, response);
  });
  const sockets = new WebSocketServer({ server, path: "/carriers/browser/media" });
  sockets.on("connection", (socket) => onSocket(socket, calls));
  await new Promise((resolve) => server.listen(port, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    stop() {
      for (const socket of sockets.clients) socket.terminate();
      server.close();
      server.closeAllConnections();
    },
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { url } = await startFakeServer(Number(process.argv[2] ?? 8090));
  console.log(`fake Frontdesk at ${url}`);
}
