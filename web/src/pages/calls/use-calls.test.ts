import { describe, expect, it } from "vitest";
import type { Call } from "../../api/types";
import type { CallsPage } from "./query";
import { mergePages, patchPages } from "./use-calls";

const call = (id: string, state: Call["state"] = "completed") => ({ id, state }) as Call;
const page = (next: string | null, ...ids: string[]): CallsPage => ({ items: ids.map((id) => call(id)), next });
const ids = (pages: CallsPage[]) => pages.flatMap(({ items }) => items.map(({ id }) => id));

describe("a list that somebody has scrolled", () => {
  const known = [page("c", "f", "e", "d"), page("a", "c", "b"), page(null, "a")];

  it("has new calls at its top, and every call once", () => {
    const fresh = mergePages(known, page("e", "h", "g", "f", "e"));
    expect(ids(fresh)).toEqual(["h", "g", "f", "e", "d", "c", "b", "a"]);
    expect(fresh[2]).toBe(known[2]);
    expect(fresh.map(({ next }) => next)).toEqual(["c", "a", null]);
  });

  it("of one page is what the server says now", () => {
    const first = page(null, "z");
    expect(mergePages([page(null, "y")], first)).toEqual([first]);
  });

  it("shows what became of a call in its place, and leaves the other pages alone", () => {
    const after = patchPages(known, new Map([["b", call("b", "failed")]]));
    expect(after[1]?.items[1]?.state).toBe("failed");
    expect(after[0]).toBe(known[0]);
    expect(after[2]).toBe(known[2]);
  });
});
