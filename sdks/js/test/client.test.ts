import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { WebSocket as Accepted, WebSocketServer } from "ws";
import { Frontdesk, FrontdeskError } from "../src/index";
import { createApi } from "../src/server";

// Node has one of its own only since version 22.
globalThis.WebSocket ??= Accepted as unknown as typeof WebSocket;

/** A server of this protocol, for what a real one cannot be made to do on demand: break off, refuse, be elsewhere. */
class Twin {
  readonly lines: Accepted[] = [];
  readonly heard: Record<string, unknown>[] = [];
  visits = 0;
  stored: unknown[] = [];
  onLine: (line: Accepted, written: boolean) => void = () => {};
  onText: (line: Accepted, text: string) => void = () => {};
  readonly #server: Server;
  readonly #sockets = new WebSocketServer({ noServer: true, handleProtocols: () => "frontdesk.visit.v1" });

  constructor() {
    this.#server = createServer((request, response) => {
      const { url = "" } = request;
      const answer = (status: number, body: unknown, headers = {}) =>
        response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
      if (url.includes("fdw_none")) answer(404, { code: "not_found", title: "There is no such thing" });
      else if (url.includes("fdw_full") && url.endsWith("/visits"))
        answer(429, { code: "rate_limited", title: "Too many requests" }, { "retry-after": "7" });
      else if (url.endsWith("/visits")) answer(201, { token: `t${++this.visits}`, call: "c", expires_in: 7200 });
      else if (url.endsWith("/messages")) answer(200, { items: this.stored });
      else if (url.startsWith("/api/v1/calls"))
        answer(403, { code: "forbidden", title: "No", detail: request.headers.authorization });
      else answer(200, SETTINGS);
    });
    this.#server.on("upgrade", (request, socket, head) => {
      this.#sockets.handleUpgrade(request, socket, head, (line) => {
        this.lines.push(line);
        line.on("message", (data, isBinary) => {
          if (isBinary) return;
          const message = JSON.parse(String(data)) as Record<string, unknown>;
          this.heard.push({ ...message, protocol: request.headers["sec-websocket-protocol"] });
          if (message.type === "start") this.onLine(line, message.written === true);
          if (message.type === "text") this.onText(line, String(message.text));
        });
      });
    });
  }

  async start(): Promise<string> {
    await new Promise<void>((done) => this.#server.listen(0, "127.0.0.1", done));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  stop(): void {
    for (const line of this.lines) line.terminate();
    this.#server.close();
  }
}

const SETTINGS = {
  title: "Robin",
  available: true,
  voice: false,
  chat: true,
  greeting: "Hello!",
  consent: "",
  privacy_url: "",
  languages: ["en"],
  theme: { colour: "#0f5bd7", scheme: "auto", position: "right", logo_url: "" },
};

const live = (event: object) => JSON.stringify({ type: "live", at: 1, ...event });

/** Answers each message, as an agent would. */
function answers(line: Accepted, text: string): void {
  line.send(live({ event: "caller_turn", turn: 1, text }));
  line.send(live({ event: "agent_turn", turn: 1, text: `You said ${text}`, complete: true }));
}

function until<T>(listen: (tell: (value: T) => void) => void, fits: (value: T) => boolean): Promise<T> {
  return new Promise((done) => listen((value) => fits(value) && done(value)));
}

describe("a visitor's conversation", () => {
  let twin: Twin;
  let host: string;

  beforeEach(async () => {
    twin = new Twin();
    twin.onText = answers;
    host = await twin.start();
  });
  afterEach(() => {
    for (const desk of desks.splice(0)) desk.leave();
    twin.stop();
  });

  const desks: Frontdesk[] = [];
  const connect = async (key = "fdw_1") => {
    const desk = await Frontdesk.connect({ host, key, storage: null });
    desks.push(desk);
    return desk;
  };
  const lastText = (desk: Frontdesk, text: string) =>
    until<Frontdesk["messages"]>(
      (tell) => {
        tell(desk.messages);
        desk.on("messages", tell);
      },
      (messages) => messages.at(-1)?.text === text,
    );

  test("opens its line with the first message and gets an answer", async () => {
    const desk = await connect();
    expect(desk.messages.map(({ text }) => text)).toEqual(["Hello!"]);
    expect(twin.visits).toBe(0);
    await desk.send(" Hi ");
    await lastText(desk, "You said Hi");
    expect(twin.heard[0]).toMatchObject({ type: "start", written: true });
    expect(twin.heard[0]?.protocol).toContain("frontdesk.token.t1");
    expect(desk.messages.map(({ role }) => role)).toEqual(["agent", "visitor", "agent"]);
  });

  test("goes on over a new line when the old one breaks, and reads what it missed", async () => {
    const desk = await connect();
    await desk.send("Hi");
    await lastText(desk, "You said Hi");
    twin.stored = [{ seq: 1, role: "agent", text: "Written meanwhile", complete: true }];
    twin.lines[0]?.terminate();
    await lastText(desk, "Written meanwhile");
    expect(twin.visits).toBe(1);
    expect(desk.state).toBe("open");
  });

  test("begins another conversation when the old one ended while nobody looked", async () => {
    const desk = await connect();
    let turns = 0;
    twin.onLine = (line) => {
      if (turns++ > 0) return;
      twin.onText = () => {};
      line.close(4000, "the conversation is over");
      line.on("close", () => {
        twin.onText = answers;
      });
    };
    await desk.send("Hi");
    await lastText(desk, "You said Hi");
    expect(desk.messages.filter(({ role }) => role === "visitor")).toHaveLength(1);
    expect(twin.visits).toBe(2);
  });

  test("says that a person has taken over, and that the agent is back", async () => {
    const desk = await connect();
    const seen: boolean[] = [];
    desk.on("handover", (isPerson) => seen.push(isPerson));
    twin.onText = (line, text) => {
      line.send(live({ event: "caller_turn", turn: 1, text }));
      line.send(live({ event: "taken_over", by: null, mode: "take_over" }));
      line.send(live({ event: "person_turn", by: null, text: "Mira here." }));
      line.send(live({ event: "handed_back", by: null, reason: "asked" }));
    };
    await desk.send("Can I talk to a person?");
    await until<boolean>(
      (tell) => desk.on("handover", tell),
      (isPerson) => !isPerson,
    );
    expect(seen).toEqual([true, false]);
    expect(desk.messages.at(-1)).toMatchObject({ role: "person", text: "Mira here." });
  });

  test("does not fight with another page of the same visitor", async () => {
    const desk = await connect();
    twin.onLine = (line) => line.close(4001, "another page");
    const failed = until<FrontdeskError>(
      (tell) => desk.on("error", tell),
      () => true,
    );
    await desk.send("Hi");
    expect((await failed).code).toBe("replaced");
    expect(twin.lines).toHaveLength(1);
  });

  test("tells refusals apart by codes", async () => {
    await expect(connect("fdw_none")).rejects.toMatchObject({ code: "not_found" });
    const desk = await connect("fdw_full");
    await expect(desk.send("Hi")).rejects.toMatchObject({ code: "rate_limited", retryAfterSecs: 7 });
    await expect(desk.talk()).rejects.toBeInstanceOf(FrontdeskError);
    await expect(Frontdesk.connect({ host: "http://127.0.0.1:9", key: "fdw_1" })).rejects.toMatchObject({
      code: "network",
    });
  });

  test("problems of the REST API are thrown with their codes", async () => {
    const api = createApi({ host, key: "fdk_1" });
    await expect(api.GET("/api/v1/calls", {})).rejects.toMatchObject({
      status: 403,
      code: "forbidden",
      message: "Bearer fdk_1",
    });
  });
});
