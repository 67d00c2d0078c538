import { describe, expect, test } from "vitest";
import { routeOf } from "../src/rtc.js";

const pair = { type: "candidate-pair", nominated: true, state: "succeeded", localCandidateId: "L" };
const report = (candidateType: string, inbound = {}) =>
  new Map([
    ["T", { type: "transport" }],
    ["L", { type: "local-candidate", candidateType }],
    ["P", { ...pair, currentRoundTripTime: 0.0421 }],
    ["I", { type: "inbound-rtp", ...inbound }],
  ]);

describe("the way that the audio takes", () => {
  test("is straight or by a relay, and takes its time", () => {
    const straight = { broken: false, relayed: false, roundTripMs: 42, lost: 0 };
    expect(routeOf(report("host"), "connected")).toEqual(straight);
    expect(routeOf(report("relay"), "connected")).toEqual({ ...straight, relayed: true });
  });

  test("is broken while the network is gone, and says how much was lost", () => {
    const lossy = report("srflx", { packetsLost: 5, packetsReceived: 95 });
    expect(routeOf(lossy, "disconnected")).toMatchObject({ broken: true, lost: 0.05 });
    // Packets that came twice are counted as fewer than none lost.
    expect(routeOf(report("host", { packetsLost: -3, packetsReceived: 50 }), "connected")?.lost).toBe(0);
  });

  test("is not known before a pair of addresses was chosen", () => {
    expect(routeOf(new Map([["P", { ...pair, nominated: false }]]), "new")).toBeNull();
    expect(routeOf(new Map([["P", pair]]), "connected")?.roundTripMs).toBeNull();
  });
});
