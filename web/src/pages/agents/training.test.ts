import { describe, expect, it } from "vitest";
import { entityValue, formOf, lessonOf } from "./training";

describe("a lesson", () => {
  const lesson = {
    intents: [{ name: "rent", examples: ["can I rent a bike", "I need a tandem"] }],
    entities: [
      { name: "order", pattern: "\\bBC-[0-9]{4}\\b" },
      { name: "bike", values: [{ value: "e-bike", synonyms: ["pedelec", "electric bike"] }, { value: "tandem" }] },
    ],
  };

  it("is the same after it was shown to be edited", () => {
    expect(lessonOf(formOf(lesson))).toEqual(lesson);
  });

  it("takes words after a colon as other words for a value", () => {
    expect(entityValue("e-bike: pedelec, , electric bike ")).toEqual({
      value: "e-bike",
      synonyms: ["pedelec", "electric bike"],
    });
    expect(entityValue(" tandem ")).toEqual({ value: "tandem" });
  });
});
