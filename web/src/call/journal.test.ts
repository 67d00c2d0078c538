import { expect, test } from "vitest";
import type { Entry, JournalRecord } from "../api/types";
import { currentLine, lineCues } from "./cues";
import { journalLines } from "./journal";

const records = (...entries: [number, Entry][]): JournalRecord[] =>
  entries.map(([at, entry], index) => ({ seq: index + 1, at, entry }));

test("bookkeeping is left out and words stay", () => {
  const lines = journalLines(
    records(
      [0, { entry: "started", direction: "inbound" }],
      [10, { entry: "state", state: "active" }],
      [900, { entry: "agent_turn", turn: 0, utterance: 1, heard: "Hello", complete: true }],
      [2000, { entry: "caller_turn", turn: 1, text: "Hours?", typed: true }],
      [9000, { entry: "ended", reason: "hung_up", state: "completed", duration: 9000 }],
    ),
  );
  expect(lines.map((line) => [line.kind, line.at])).toEqual([
    ["agent", 900],
    ["caller", 2000],
    ["note", 9000],
  ]);
});

test("a tool and its answer are one line", () => {
  const lines = journalLines(
    records(
      [100, { entry: "tool_started", id: 7, name: "find_slot", args: { day: "Tuesday" } }],
      [150, { entry: "fault", stage: "tts", class: "timeout" }],
      [300, { entry: "tool_finished", id: 7, name: "find_slot", ok: false, result: "no answer" }],
    ),
  );
  expect(lines).toMatchObject([
    { kind: "tool", status: "failed", args: { day: "Tuesday" }, result: "no answer" },
    { kind: "note", tone: "warn", text: "The voice took too long" },
  ]);
});

test("an entry of a newer server is left out", () => {
  expect(journalLines(records([1, { entry: "weather" } as unknown as Entry]))).toEqual([]);
});

test("a line starts where its speaker began, not where the journal noted its end", () => {
  const lines = journalLines(
    records(
      [2000, { entry: "agent_turn", turn: 0, utterance: 1, heard: "Hello", complete: true }],
      [5000, { entry: "caller_turn", turn: 1, text: "Hours?" }],
      [6000, { entry: "caller_turn", turn: 2, text: "typed", typed: true }],
    ),
  );
  const step_ms = 20;
  const track = (from_ms: number, to_ms: number) =>
    new Float32Array(400).map((_, i) => (i * step_ms >= from_ms && i * step_ms < to_ms ? 0.2 : 0));
  const envelope = { step_ms, agent: track(500, 1900), caller: track(3400, 4700), duration_ms: 8000 };
  expect(lineCues(lines, envelope)).toEqual([350, 3250, 6000]);
  expect(lineCues(lines, null)).toEqual([2000, 5000, 6000]);
});

test("the current line is the last that has begun", () => {
  const cues = [350, 3250, 6000];
  expect([0, 400, 3250, 9000].map((now) => currentLine(cues, now))).toEqual([-1, 0, 1, 2]);
});

test("what a person at the desk did and said is among the lines", () => {
  const lines = journalLines(
    records(
      [100, { entry: "whispered", by: "user:kim", text: "Offer a check." }],
      [200, { entry: "taken_over", by: "user:kim", mode: "take_over", with_line: true }],
      [900, { entry: "person_turn", turn: 1, text: "This is Kim." }],
      [1_500, { entry: "handed_back", reason: "absent" }],
    ),
  );
  expect(lines.map(({ kind }) => kind)).toEqual(["note", "note", "person", "note"]);
  expect(lines[2]).toMatchObject({ text: "This is Kim." });
});
