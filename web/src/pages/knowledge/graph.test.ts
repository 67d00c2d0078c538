import { describe, expect, it } from "vitest";
import { frameOf, layout, type Name, placeNames } from "./graph";

const far = (a: { x: number; y: number } | undefined, b: { x: number; y: number } | undefined) =>
  Math.hypot((a?.x ?? 0) - (b?.x ?? 0), (a?.y ?? 0) - (b?.y ?? 0));

describe("the picture of what documents name", () => {
  const ids = Array.from({ length: 24 }, (_, index) => `e${index}`);

  it("is the same each time", () => {
    expect(layout(ids, [["e0", "e9"]])).toEqual(layout(ids, [["e0", "e9"]]));
  });

  it("puts what is related nearer than what is not", () => {
    const spots = layout(ids, [["e0", "e20"]]);
    const at = (id: string) => spots.find((spot) => spot.id === id);
    expect(far(at("e0"), at("e20"))).toBeLessThan(far(at("e1"), at("e21")));
  });

  it("keeps names from lying on each other, and within its frame", () => {
    const spots = layout(ids, []);
    const frame = frameOf(spots);
    for (const a of spots) {
      expect(a.x).toBeGreaterThan(frame.x);
      expect(a.y).toBeLessThan(frame.y + frame.height);
      for (const b of spots) if (a.id !== b.id) expect(far(a, b)).toBeGreaterThan(20);
    }
  });
});

describe("the names in the picture", () => {
  const near = (scale: number): Name[] =>
    layout(
      Array.from({ length: 60 }, (_, index) => `e${index}`),
      [],
    ).map(({ id, x, y }, index) => ({
      id,
      text: "A name of some length",
      x: x * scale,
      y: y * scale,
      radius: 7,
      rank: 60 - index,
    }));

  it("never lie on each other, and the most important one is there", () => {
    const places = [...placeNames(near(0.7)).values()];
    for (const a of places)
      for (const b of places) if (a !== b) expect(Math.abs(a.x - b.x) > 120 || Math.abs(a.y - b.y) > 13.9).toBe(true);
    expect(placeNames(near(0.7)).has("e0")).toBe(true);
    expect(places.length).toBeLessThan(60);
  });

  it("come with more room", () => {
    expect(placeNames(near(4)).size).toBe(60);
  });
});
