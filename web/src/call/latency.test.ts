import { expect, test } from "vitest";
import { formatMs, latencyStages, percentile, totalMs } from "./latency";

const NONE = { endpoint_ms: null, transcript_ms: null, first_token_ms: null, first_audio_ms: null, heard_ms: null };

test("stages follow each other in the order in which they ended", () => {
  const stages = latencyStages({
    endpoint_ms: 300,
    transcript_ms: 250,
    first_token_ms: 380,
    first_audio_ms: 510,
    heard_ms: 570,
  });
  expect(stages.map(({ name, from_ms, to_ms }) => [name, from_ms, to_ms])).toEqual([
    ["transcript", 0, 250],
    ["endpoint", 250, 300],
    ["first_token", 300, 380],
    ["first_audio", 380, 510],
    ["heard", 510, 570],
  ]);
});

test("stages that did not happen leave no bar", () => {
  const typed = { ...NONE, first_audio_ms: 90, heard_ms: 140 };
  expect(latencyStages(typed).map((stage) => stage.name)).toEqual(["first_audio", "heard"]);
  expect(totalMs(typed)).toBe(140);
  expect(totalMs(NONE)).toBeNull();
});

test("an answer that was never heard counts as far as it came", () => {
  expect(totalMs({ ...NONE, endpoint_ms: 300, first_token_ms: 420 })).toBe(420);
});

test("figures are short", () => {
  expect([formatMs(0), formatMs(999.6), formatMs(1234)]).toEqual(["0 ms", "1000 ms", "1.23 s"]);
});

test("percentiles are by nearest rank, and there are none of nothing", () => {
  expect(percentile([], 0.5)).toBeNull();
  expect(percentile([30, 10, 20], 0.5)).toBe(20);
  expect(percentile([10, 20, 30, 40], 0.95)).toBe(40);
});
