import { describe, expect, it } from "vitest";
import { inRequests } from "./uploads";

const MIB = 1024 * 1024;
const sized = (...sizes: number[]) => sizes.map((size) => ({ size }));

describe("files in requests", () => {
  it("go together as long as they fit", () => {
    expect(inRequests(sized(1, 2, 3)).map((some) => some.length)).toEqual([3]);
  });

  it("are at most twenty each", () => {
    expect(inRequests(Array.from({ length: 45 }, () => ({ size: 1 }))).map((some) => some.length)).toEqual([20, 20, 5]);
  });

  it("stay below what a request may weigh, in their order", () => {
    const requests = inRequests(sized(40 * MIB, 30 * MIB, 20 * MIB, 50 * MIB));
    expect(requests.map((some) => some.map(({ size }) => size / MIB))).toEqual([[40], [30, 20], [50]]);
  });

  it("are none when there are none", () => {
    expect(inRequests([])).toEqual([]);
  });
});
