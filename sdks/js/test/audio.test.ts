import { describe, expect, test } from "vitest";
import { PlayoutQueue, WIRE_HZ } from "../src/audio/playout-queue";
import { Resampler } from "../src/audio/resampler";

const sine = (hz: number, rate: number, length: number) =>
  Float32Array.from({ length }, (_, i) => 0.5 * Math.sin((2 * Math.PI * hz * i) / rate));

function convert(from: number, to: number, input: Float32Array): number[] {
  const resampler = new Resampler(from, to);
  const output: number[] = [];
  for (const sample of input) resampler.push(sample, (value) => output.push(value));
  return output;
}

const rms = (values: number[]) => Math.sqrt(values.reduce((sum, v) => sum + v * v, 0) / values.length);

describe("resampling", () => {
  test.each([48_000, 44_100, 16_000, 96_000])("one second at %i Hz is one second at 16 kHz", (rate) => {
    expect(convert(rate, WIRE_HZ, new Float32Array(rate)).length).toBe(WIRE_HZ);
  });

  test("speech passes and what would alias does not", () => {
    const settled = (hz: number) => rms(convert(48_000, WIRE_HZ, sine(hz, 48_000, 48_000)).slice(400));
    expect(settled(1_000)).toBeCloseTo(0.3536, 2);
    expect(settled(6_000)).toBeGreaterThan(0.33);
    expect(settled(9_500)).toBeLessThan(0.002);
    expect(settled(12_000)).toBeLessThan(0.001);
  });

  test("pulled output is smooth: no image of the tone above the old band", () => {
    const input = sine(1_000, WIRE_HZ, WIRE_HZ);
    const resampler = new Resampler(WIRE_HZ, 48_000);
    let at = 0;
    const output = Array.from({ length: 40_000 }, () => resampler.pull(() => input[at++] ?? 0)).slice(2_000);
    expect(rms(output)).toBeCloseTo(0.3536, 2);
    // A 1 kHz tone of this size moves by at most 0.0655 from one sample to the next at 48 kHz.
    const jumps = output.slice(1).map((value, i) => Math.abs(value - (output[i] as number)));
    expect(Math.max(...jumps)).toBeLessThan(0.067);
  });
});

describe("the playout queue", () => {
  const frame = (value = 1000) => new Int16Array(320).fill(value);

  function play(queue: PlayoutQueue, samples: number): { sounds: number; marks: [number, number][] } {
    const marks: [number, number][] = [];
    let sounds = 0;
    for (let i = 0; i < samples; i++) {
      if (queue.next((id) => marks.push([id, queue.played])) !== 0) sounds++;
    }
    return { sounds, marks };
  }

  test("a mark is reached with exactly the sample before it", () => {
    const queue = new PlayoutQueue();
    queue.push(frame());
    queue.push(frame());
    queue.mark(1);
    queue.push(frame());
    queue.mark(2);
    expect(play(queue, 2_000)).toEqual({
      sounds: 960,
      marks: [
        [1, 640],
        [2, 960],
      ],
    });
  });

  test("a mark with nothing before it is reached at once", () => {
    const queue = new PlayoutQueue();
    queue.mark(5);
    expect(play(queue, 1).marks).toEqual([[5, 0]]);
  });

  test("clear silences at once and forgets the marks", () => {
    const queue = new PlayoutQueue();
    for (let i = 0; i < 10; i++) queue.push(frame());
    queue.mark(1);
    expect(play(queue, 500).sounds).toBe(500);
    queue.clear();
    expect(play(queue, 4_000)).toEqual({ sounds: 0, marks: [] });
    expect(queue.played).toBe(500);
    expect(queue.underruns).toBe(0);
  });

  test("after a clear the next answer plays whole", () => {
    const queue = new PlayoutQueue();
    queue.push(frame());
    queue.clear();
    queue.push(frame());
    queue.push(frame());
    queue.mark(9);
    expect(play(queue, 2_000)).toEqual({ sounds: 640, marks: [[9, 640]] });
  });

  test("a hole in speech is counted, a pause between turns is not", () => {
    const queue = new PlayoutQueue();
    queue.push(frame());
    queue.push(frame());
    play(queue, 640 + 800);
    queue.push(frame());
    expect(queue.underruns).toBe(1);
    queue.mark(1);
    play(queue, 640);
    queue.push(frame());
    expect(queue.underruns).toBe(1);
  });

  test("a single short frame is not held back for ever", () => {
    const queue = new PlayoutQueue();
    queue.push(frame());
    expect(play(queue, 2_000).sounds).toBe(320);
  });

  test("a server that sends far too much loses the oldest and not the newest", () => {
    const queue = new PlayoutQueue();
    for (let i = 0; i < 600; i++) queue.push(frame(i + 1));
    expect(queue.dropped).toBe(100 * 320);
    expect(queue.next(() => {})).toBeCloseTo(101 / 32_768, 6);
  });
});
