import { describe, expect, it } from "vitest";
import { frameOf, layout } from "./graph";

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
