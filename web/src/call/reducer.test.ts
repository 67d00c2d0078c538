import { describe, expect, test } from "vitest";
import type { LiveEvent, LiveKind } from "../api/types";
import { type AgentLine, agentIsSpeaking, type CallView, callReducer, initialCall } from "./reducer";

const LATENCY = { endpoint_ms: 300, transcript_ms: 250, first_token_ms: 380, first_audio_ms: 510, heard_ms: 570 };
const CITED = [{ document: "Opening hours", section: "Weekends", quote: "Saturday 9 to 16." }];

const connected = [
  { type: "preparing" } as const,
  { type: "connecting" } as const,
  { type: "connected", nowMs: 1_000, transport: "webrtc" } as const,
].reduce(callReducer, initialCall);

function told(view: CallView, ...events: ([number, LiveKind] | object)[]): CallView {
  return events.reduce<CallView>((state, given, index) => {
    const event = Array.isArray(given) ? { at: given[0], ...given[1] } : { at: state.at + index, ...given };
    return callReducer(state, { type: "live", event: event as LiveEvent });
  }, view);
}

const texts = (view: CallView) => view.lines.map((line) => ("text" in line ? `${line.kind}: ${line.text}` : line.kind));
const agentTurn = (turn: number, text: string, complete = true): LiveKind => ({
  event: "agent_turn",
  turn,
  text,
  complete,
  citations: [],
  latency: null,
});

describe("the caller's words", () => {
  test("a partial is shown until the final replaces it", () => {
    const guessing = told(
      connected,
      { event: "partial", text: "when are" },
      { event: "partial", text: "when are you" },
    );
    expect(guessing.partial).toBe("when are you");
    expect(guessing.lines).toEqual([]);
    const final = told(guessing, { event: "caller_turn", turn: 1, text: "When are you open?" });
    expect(final.partial).toBe("");
    expect(texts(final)).toEqual(["caller: When are you open?"]);
  });

  test("a partial that arrives after newer events is ignored", () => {
    const view = told(connected, [900, { event: "caller_turn", turn: 1, text: "Hello" }]);
    expect(told(view, [800, { event: "partial", text: "hel" }]).partial).toBe("");
  });

  test("what was typed is pending until it becomes a turn", () => {
    const typed = callReducer(connected, { type: "typed", text: "How much?" });
    expect(typed.typed).toBe("How much?");
    expect(told(typed, { event: "caller_turn", turn: 1, text: "How much?" }).typed).toBe("");
  });

  test("a turn told twice is shown once", () => {
    const turn = { event: "caller_turn", turn: 1, text: "Hello" };
    expect(texts(told(connected, turn, turn))).toEqual(["caller: Hello"]);
  });
});

describe("the agent's words", () => {
  test("sentences gather on one line and become what was heard", () => {
    const saying = told(
      connected,
      { event: "caller_turn", turn: 1, text: "Hours?" },
      { event: "agent_saying", turn: 1, text: "From nine to four." },
      { event: "agent_saying", turn: 1, text: "Closed on Sunday." },
    );
    expect(texts(saying)).toEqual(["caller: Hours?", "agent: From nine to four. Closed on Sunday."]);
    expect(agentIsSpeaking(saying)).toBe(true);
    const said = told(saying, {
      event: "agent_turn",
      turn: 1,
      text: "From nine to four. Closed on Sunday.",
      complete: true,
      citations: CITED,
      latency: LATENCY,
    });
    expect(said.lines.at(-1)).toMatchObject({ open: false, complete: true, citations: CITED, latency: LATENCY });
    expect(agentIsSpeaking(said)).toBe(false);
  });

  test("after an interruption only the heard words remain", () => {
    const view = told(
      connected,
      { event: "agent_saying", turn: 1, text: "From nine to four." },
      { event: "agent_saying", turn: 1, text: "Closed on Sunday." },
      agentTurn(1, "From nine", false),
    );
    expect(texts(view)).toEqual(["agent: From nine"]);
    expect(view.lines[0]).toMatchObject({ open: false, complete: false });
  });

  test("an interruption before the first word leaves an empty, finished line", () => {
    const view = told(connected, { event: "agent_saying", turn: 1, text: "From nine." }, agentTurn(1, "", false));
    expect(view.lines[0]).toMatchObject({ text: "", open: false, complete: false });
  });

  test("a filler and its answer are two lines of one turn", () => {
    const view = told(
      connected,
      { event: "agent_saying", turn: 1, text: "One moment." },
      agentTurn(1, "One moment."),
      { event: "agent_saying", turn: 1, text: "We open at nine." },
      agentTurn(1, "We open at nine."),
    );
    expect(texts(view)).toEqual(["agent: One moment.", "agent: We open at nine."]);
    expect(new Set(view.lines.map((line) => line.key)).size).toBe(2);
  });

  test("a sentence of an older turn is ignored", () => {
    const view = told(
      connected,
      { event: "caller_turn", turn: 2, text: "Stop. Another question." },
      { event: "agent_saying", turn: 1, text: "As I was saying." },
    );
    expect(texts(view)).toEqual(["caller: Stop. Another question."]);
  });

  test("a late result of an older turn takes its place before the newer question", () => {
    const view = told(
      connected,
      { event: "caller_turn", turn: 1, text: "First" },
      { event: "caller_turn", turn: 2, text: "Second" },
      agentTurn(1, "Half an ans", false),
    );
    expect(texts(view)).toEqual(["caller: First", "agent: Half an ans", "caller: Second"]);
  });

  test("a result without announcement is shown, and shown once", () => {
    const view = told(connected, agentTurn(0, "Hello, how can I help?"), agentTurn(0, "Hello, how can I help?"));
    expect(texts(view)).toEqual(["agent: Hello, how can I help?"]);
  });
});

describe("everything else", () => {
  test("a tool is one line from its start to its end", () => {
    const running = told(connected, { event: "tool", name: "find_slot", status: "started" });
    expect(running.lines).toMatchObject([{ kind: "tool", name: "find_slot", status: "started" }]);
    const done = told(running, { event: "tool", name: "find_slot", status: "finished" });
    expect(done.lines).toMatchObject([{ kind: "tool", name: "find_slot", status: "finished" }]);
  });

  test("a fault is shown and the call goes on", () => {
    const view = told(connected, { event: "fault", stage: "tts", class: "timeout" });
    expect(view.status).toBe("live");
    expect(view.lines).toMatchObject([{ kind: "fault", stage: "tts", class: "timeout" }]);
  });

  test("an event of a kind this page does not know changes nothing", () => {
    expect(told(connected, [5, { event: "sentiment", mood: "fine" } as unknown as LiveKind])).toBe(connected);
  });

  test("an old phase does not replace a newer one", () => {
    const view = told(
      connected,
      [500, { event: "phase", phase: "speaking" }],
      [400, { event: "phase", phase: "thinking" }],
    );
    expect(view.phase).toBe("speaking");
  });

  test("events before the call or after its end are ignored", () => {
    expect(told(initialCall, { event: "partial", text: "hello" })).toBe(initialCall);
    const ended = told(connected, { event: "ended", reason: "goodbye" });
    expect(ended.endedReason).toBe("goodbye");
    expect(told(ended, { event: "agent_saying", turn: 9, text: "Still here" })).toBe(ended);
  });

  test("a lost connection settles what was open and says why", () => {
    const saying = told(connected, { event: "agent_saying", turn: 1, text: "From nine" });
    const lost = callReducer(saying, { type: "closed", problem: "The connection was lost.", nowMs: 61_000 });
    expect(lost).toMatchObject({ status: "ended", problem: "The connection was lost.", lastedMs: 60_000 });
    expect((lost.lines[0] as AgentLine).open).toBe(false);
  });

  test("a new call begins with an empty page", () => {
    const old = told(connected, { event: "caller_turn", turn: 1, text: "Hello" });
    const over = callReducer(old, { type: "closed", problem: null, nowMs: 2_000 });
    expect(callReducer(over, { type: "preparing" }).lines).toEqual([]);
  });

  test("a call that was called off before the line stood leaves nothing behind", () => {
    const preparing = callReducer(initialCall, { type: "preparing" });
    expect(callReducer(preparing, { type: "closed", problem: null, nowMs: 5 })).toBe(initialCall);
  });
});
