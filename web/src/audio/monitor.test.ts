import { describe, expect, test } from "vitest";
import { levelOf, MonitorMix, sideFrame } from "./monitor-mix";
import { COLUMN_MS, LiveWave } from "./wave";

const frame = (value: number) => new Int16Array(320).fill(value);
const play = (mix: MonitorMix, samples: number) => Array.from({ length: samples }, () => mix.next());

describe("what a supervisor hears", () => {
  test("both sides sound at once, each from its own queue", () => {
    const mix = new MonitorMix();
    for (let i = 0; i < 4; i++) {
      mix.push("caller", frame(8192));
      mix.push("agent", frame(4096));
    }
    expect(Math.max(...play(mix, 1_280))).toBeCloseTo(0.375, 5);
  });

  test("clear silences the agent at once, and the caller goes on", () => {
    const mix = new MonitorMix();
    for (let i = 0; i < 10; i++) {
      mix.push("caller", frame(8192));
      mix.push("agent", frame(4096));
    }
    play(mix, 320);
    mix.clear("agent");
    expect(new Set(play(mix, 320))).toEqual(new Set([0.25]));
    expect(mix.queued("agent")).toBe(0);
  });

  test("the agent may be ahead of its time, and nothing of it is lost", () => {
    const mix = new MonitorMix();
    for (let i = 0; i < 30; i++) mix.push("agent", frame(1));
    expect(mix.queued("agent")).toBe(9_600);
    expect(mix.skipped).toBe(0);
  });

  test("whoever is behind catches up: the newest of the caller is heard within a third of a second", () => {
    const mix = new MonitorMix();
    for (let i = 0; i < 200; i++) mix.push("caller", frame(i));
    expect(mix.queued("caller")).toBeLessThanOrEqual(4_800);
    expect(mix.skipped).toBeGreaterThan(0);
  });

  test("loud voices together do not overflow", () => {
    const mix = new MonitorMix();
    for (const side of ["caller", "agent", "person"] as const) {
      for (let i = 0; i < 3; i++) mix.push(side, frame(30_000));
    }
    expect(Math.max(...play(mix, 640))).toBe(1);
  });
});

describe("a frame of the socket", () => {
  const message = (side: number, samples: number[]) => {
    const bytes = new ArrayBuffer(2 + samples.length * 2);
    const view = new DataView(bytes);
    view.setUint16(0, side, true);
    samples.forEach((sample, at) => {
      view.setInt16(2 + at * 2, sample, true);
    });
    return bytes;
  };

  test("says whose it is", () => {
    expect(sideFrame(message(1, [5, -5]))).toEqual({ side: "agent", pcm: new Int16Array([5, -5]) });
    expect(sideFrame(message(2, [7]))?.side).toBe("person");
  });

  test("of a side that is not known yet is passed over, and so is one without sound", () => {
    expect(sideFrame(message(9, [1]))).toBeNull();
    expect(sideFrame(message(0, []))).toBeNull();
  });

  test("has a level", () => {
    expect(levelOf(frame(16_384))).toBeCloseTo(0.5, 5);
    expect(levelOf(new Int16Array())).toBe(0);
  });
});

describe("the picture of both voices", () => {
  const now = 1_000_000;

  test("a burst that comes ahead of its time is drawn when it is heard", () => {
    const wave = new LiveWave();
    for (let i = 0; i < 10; i++) wave.push("agent", 0.5, now);
    expect(wave.level("agent", 0, now)).toBe(0.5);
    expect(wave.level("agent", 0, now + 2 * COLUMN_MS)).toBe(0.5);
    expect(wave.level("agent", 0, now + 3 * COLUMN_MS)).toBe(0);
  });

  test("silence moves on, and what was said stays where it was", () => {
    const wave = new LiveWave();
    wave.push("caller", 0.3, now);
    expect(wave.level("caller", 5, now + 5 * COLUMN_MS)).toBeCloseTo(0.3, 5);
    expect(wave.level("caller", 0, now + 5 * COLUMN_MS)).toBe(0);
  });

  test("what was called off is not drawn", () => {
    const wave = new LiveWave();
    for (let i = 0; i < 20; i++) wave.push("agent", 0.5, now);
    wave.clear("agent", now);
    expect(wave.level("agent", 0, now + 2 * COLUMN_MS)).toBe(0);
    expect(wave.level("agent", 0, now)).toBe(0.5);
  });

  test("an hour later nothing old is mistaken for new", () => {
    const wave = new LiveWave();
    wave.push("caller", 0.9, now);
    for (let ago = 0; ago < 200; ago++) expect(wave.level("caller", ago, now + 512 * COLUMN_MS)).toBe(0);
  });
});
