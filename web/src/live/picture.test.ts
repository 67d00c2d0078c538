import { describe, expect, it } from "vitest";
import { type BusinessEvent, type LiveCall, pictureOf, take } from "./picture";

const facts = (id: string, state: LiveCall["state"] = "active") => ({
  id,
  agent: "a",
  conversation: "c",
  direction: "inbound" as const,
  carrier: "loopback",
  state,
  started_at_ms: 1,
  cost_usd_micros: 0,
});
const event = (seq: number, kind: string, subject: string, data: object): BusinessEvent => ({
  seq,
  kind,
  subject,
  at_ms: seq,
  data: data as BusinessEvent["data"],
});
const turn = (seq: number, call: string) =>
  event(100 + seq, "transcript.turn", call, {
    call,
    seq,
    turn: seq,
    role: "customer",
    text: `line ${seq}`,
    complete: true,
    at_call_ms: seq,
  });
const begun = () =>
  pictureOf({ seq: 5, truncated: false, calls: [{ ...facts("one"), turns: [] }] as unknown as LiveCall[] });

describe("the picture of live calls", () => {
  it("takes calls in, changes them and lets them go", () => {
    const picture = take(begun(), [
      event(6, "call.created", "two", facts("two", "ringing")),
      event(7, "call.updated", "two", facts("two")),
      event(8, "call.ended", "one", facts("one", "completed")),
    ]);
    expect([...picture.calls.keys()]).toEqual(["two"]);
    expect(picture.calls.get("two")?.state).toBe("active");
    expect(picture.seq).toBe(8);
  });

  it("passes over what the snapshot has already", () => {
    const before = begun();
    expect(take(before, [event(5, "call.ended", "one", facts("one"))])).toBe(before);
  });

  it("keeps the last ten turns in their order, each once, whatever comes first", () => {
    const lines = Array.from({ length: 12 }, (_, index) => turn(index + 1, "one"));
    const shuffled = [...lines.slice(6), ...lines.slice(0, 6), lines[11] as BusinessEvent];
    const numbered = shuffled.map((one, index) => ({ ...one, seq: 10 + index }));
    const turns = take(begun(), numbered).calls.get("one")?.turns ?? [];
    expect(turns.map((one) => one.seq)).toEqual([3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
  });

  it("leaves calls that nothing happened to identical, so that nobody draws them again", () => {
    const before = take(begun(), [event(6, "call.created", "two", facts("two"))]);
    const after = take(before, [event(7, "call.updated", "two", facts("two", "ending"))]);
    expect(after.calls.get("one")).toBe(before.calls.get("one"));
  });

  it("knows who has a call, while they have it, whatever else changes", () => {
    const taken = take(begun(), [
      event(6, "call.taken_over", "one", { call: "one", by: "user:kim", mode: "take_over", at_call_ms: 5 }),
      event(7, "call.updated", "one", facts("one", "paused")),
    ]);
    expect(taken.calls.get("one")?.hold).toEqual({ by: "user:kim", mode: "take_over" });
    const free = take(taken, [event(8, "call.handed_back", "one", { call: "one", reason: "asked", at_call_ms: 9 })]);
    expect(free.calls.get("one")?.hold).toBeUndefined();
    expect(free.calls.get("one")?.state).toBe("paused");
  });

  it("knows who waits for a person, since when and why", () => {
    const waiting = { since_ms: 7, reason: "asked" };
    const queued = take(begun(), [
      event(6, "call.queued", "one", { call: "one", waiting, at_call_ms: 5 }),
      event(7, "call.updated", "one", facts("one", "paused")),
    ]);
    expect(queued.calls.get("one")?.waiting).toEqual(waiting);
    const left = { call: "one", outcome: "taken", waited_ms: 900, at_call_ms: 9 };
    expect(take(queued, [event(8, "call.left_queue", "one", left)]).calls.get("one")?.waiting).toBeUndefined();
  });

  it("knows from the beginning who has a call, and their name", () => {
    const holder = { by: "user:kim", user_id: "kim", name: "Kim" };
    const calls = [{ ...facts("one"), turns: [], holder }] as unknown as Parameters<typeof pictureOf>[0]["calls"];
    const picture = pictureOf({ seq: 5, truncated: false, calls });
    expect(picture.calls.get("one")?.hold).toEqual({ by: "user:kim", mode: "take_over", name: "Kim" });
    const free = take(picture, [event(6, "call.handed_back", "one", { call: "one", reason: "asked", at_call_ms: 9 })]);
    expect(free.calls.get("one")?.hold).toBeUndefined();
  });

  it("forgets what was said when that is deleted", () => {
    const said = take(begun(), [turn(1, "one")]);
    expect(take(said, [event(200, "call.forgotten", "one", {})]).calls.get("one")?.turns).toEqual([]);
  });
});
