import { describe, expect, it } from "vitest";
import { questionsOf } from "./question-set";

describe("pasted questions", () => {
  it("name their heading before a tab", () => {
    expect(questionsOf("Opening hours\tare you open on Monday")).toEqual([
      { question: "are you open on Monday", expected: "Opening hours" },
    ]);
  });

  it("must be declined after a dash, or when they stand alone", () => {
    expect(questionsOf("-\tdo you sell cars\n\ndo you sell boats  ")).toEqual([
      { question: "do you sell cars", expected: null },
      { question: "do you sell boats", expected: null },
    ]);
  });
});
