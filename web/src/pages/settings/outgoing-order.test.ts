import { describe, expect, it } from "vitest";
import { placed } from "./outgoing-order";

describe("the order of platforms for a country", () => {
  it("takes another one at a place, and one more at its end", () => {
    expect(placed(["a", "b"], 0, "c")).toEqual(["c", "b"]);
    expect(placed(["a"], 1, "b")).toEqual(["a", "b"]);
  });

  it("swaps two that are chosen for each other's place, and names none twice", () => {
    expect(placed(["a", "b"], 0, "b")).toEqual(["b", "a"]);
    expect(placed(["a", "b", "c"], 1, "a")).toEqual(["b", "a", "c"]);
    expect(placed(["a"], 1, "a")).toEqual(["a"]);
  });

  it("ends where any other may follow", () => {
    expect(placed(["a", "b", "c"], 1, "")).toEqual(["a"]);
  });
});
