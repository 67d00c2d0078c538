import { describe, expect, it } from "vitest";
import type { JournalRecord } from "../api/types";
import { moodNow, moodOf, moodPoints } from "./mood";

describe("how a caller sounds", () => {
  it("is pleased or displeased only when it is marked", () => {
    expect([0.6, 0.1, -0.1, -0.6].map(moodOf)).toEqual(["pleased", "neutral", "neutral", "displeased"]);
  });

  it("is judged by what they said last, and not by what the agent said", () => {
    const turns = [
      { role: "customer", sentiment: 1 },
      { role: "customer", sentiment: 1 },
      { role: "agent", sentiment: 1 },
      { role: "customer", sentiment: -0.5 },
      { role: "customer" },
      { role: "customer", sentiment: -1 },
    ];
    expect(moodOf(moodNow(turns) ?? 0)).toBe("displeased");
    expect(moodNow([{ role: "customer" }, { role: "agent", sentiment: 1 }])).toBeNull();
  });

  it("over time has the turns that say something about it", () => {
    const journal = [
      { seq: 1, at: 10, entry: { entry: "caller_turn", turn: 1, text: "Hello" } },
      { seq: 2, at: 20, entry: { entry: "caller_turn", turn: 2, text: "That is bad", sentiment: -0.7 } },
    ] as JournalRecord[];
    expect(moodPoints(journal)).toEqual([{ at: 20, value: -0.7 }]);
  });
});
