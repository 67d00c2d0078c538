import { describe, expect, it } from "vitest";
import type { Entry, JournalRecord, TurnLatency } from "../api/types";
import { turnTimings } from "./timing";

const journal = (...entries: Entry[]): JournalRecord[] =>
  entries.map((entry, index) => ({ seq: index + 1, at: index * 100, entry }));
const asked: Entry = { entry: "caller_turn", turn: 1, text: "When are you open?" };
const answer = (latency?: Partial<TurnLatency>): Entry => ({
  entry: "agent_turn",
  turn: 1,
  utterance: 1,
  heard: "From nine.",
  complete: true,
  ...(latency === undefined
    ? {}
    : {
        latency: {
          endpoint_ms: 200,
          transcript_ms: 250,
          first_token_ms: null,
          first_audio_ms: null,
          heard_ms: null,
          ...latency,
        },
      }),
});

describe("what callers waited for", () => {
  it("gives a quick answer no cause", () => {
    const [turn] = turnTimings(journal(asked, answer({ first_token_ms: 400, heard_ms: 700 })));
    expect(turn).toMatchObject({ total_ms: 700, causes: [] });
  });

  it("names the stage that took most of a long wait", () => {
    const [turn] = turnTimings(journal(asked, answer({ first_token_ms: 1_900, heard_ms: 2_100 })));
    expect(turn?.causes).toEqual([{ kind: "stage", stage: "first_token", ms: 1_650 }]);
  });

  it("names faults and tools of the turn before the stage, each once, and not those of earlier turns", () => {
    const fault: Entry = { entry: "fault", stage: "brain", class: "timeout" };
    const tool: Entry = { entry: "tool_started", id: 1, name: "find_slot", args: {} };
    const [, turn] = turnTimings(
      journal(
        asked,
        { entry: "fault", stage: "tts", class: "internal" },
        answer({ heard_ms: 1_500 }),
        asked,
        fault,
        fault,
        tool,
        answer({ heard_ms: 3_000 }),
      ),
    );
    expect(turn?.causes.map(({ kind }) => kind)).toEqual(["fault", "tool", "stage"]);
    expect(turn?.causes[0]).toMatchObject({ stage: "brain", class: "timeout" });
  });

  it("says when something was said meanwhile", () => {
    const [turn] = turnTimings(journal(asked, answer(), answer({ heard_ms: 3_000 })));
    expect(turn?.bridged).toBe(true);
  });

  it("knows who answered", () => {
    const routed: Entry = { entry: "routed", stage: "llm", provider: "local", reason: "chosen" };
    const [turn] = turnTimings(journal(asked, routed, answer({ heard_ms: 500 })));
    expect(turn?.providers).toEqual({ llm: "local" });
  });
});
