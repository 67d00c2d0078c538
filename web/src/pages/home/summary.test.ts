import { describe, expect, it } from "vitest";
import type { Call, JournalRecord } from "../../api/types";
import { byHour, percentile, summarize, waits } from "./summary";

const call = (rest: Partial<Call>): Call => ({
  id: "x",
  agent: "a",
  conversation: "c",
  direction: "inbound",
  carrier: "loopback",
  state: "completed",
  started_at_ms: 1_000,
  answered_at_ms: 2_000,
  ended_at_ms: 62_000,
  ended_reason: "hung_up",
  recorded: false,
  cost_usd_micros: 500,
  ...rest,
});

describe("the summary of a day", () => {
  it("tells calls that the agent settled from those that went to a person", () => {
    const sum = summarize([call({}), call({ ended_reason: "transferred" }), call({ ended_reason: "brain_failed" })]);
    expect(sum).toMatchObject({ calls: 3, answered: 3, over: 3, contained: 1, transferred: 1, missed: 0 });
    expect(sum.talk_ms).toBe(180_000);
    expect(sum.cost_usd_micros).toBe(1_500);
  });

  it("counts a call as missed only when it is over without an answer", () => {
    const ringing = call({ state: "ringing", answered_at_ms: null, ended_at_ms: null });
    const missed = call({ state: "no_answer", answered_at_ms: null, ended_reason: "no_answer" });
    expect(summarize([ringing, missed])).toMatchObject({ calls: 2, answered: 0, missed: 1 });
  });

  it("does not take a call that goes on for a contained one", () => {
    expect(summarize([call({ state: "active", ended_at_ms: null, ended_reason: null })])).toMatchObject({
      answered: 1,
      over: 0,
      contained: 0,
    });
  });

  it("puts each call into the hour in which it began", () => {
    const hour = 3_600_000;
    const began = [0, 10, hour, 3 * hour - 1].map((started_at_ms) => call({ started_at_ms }));
    expect(byHour(began, 0, 3 * hour)).toEqual([2, 1, 1]);
  });

  it("takes percentiles by nearest rank, and knows when there is nothing to say", () => {
    expect(percentile([], 0.5)).toBeNull();
    expect(percentile([30, 10, 20], 0.5)).toBe(20);
    expect(percentile([10, 20, 30, 40], 0.95)).toBe(40);
  });

  it("reads what callers waited from a journal", () => {
    const turn = (heard_ms: number | null) => ({ entry: "agent_turn", latency: { heard_ms } });
    const journal = [turn(700), turn(null), { entry: "started" }].map((entry, at) => ({ seq: at, at, entry }));
    expect(waits(journal as unknown as JournalRecord[])).toEqual([700]);
  });
});
