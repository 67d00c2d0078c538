import { describe, expect, it } from "vitest";
import { betweenCommas, linesOf } from "./words";

describe("what is typed as a list", () => {
  it("has one thing a line, or between commas, and none that is empty", () => {
    expect(linesOf(" full refund \n\nI guarantee\n")).toEqual(["full refund", "I guarantee"]);
    expect(betweenCommas("orders, my order, , ")).toEqual(["orders", "my order"]);
    expect(linesOf("")).toEqual([]);
  });
});
