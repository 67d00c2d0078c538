import { PlayoutQueue, WIRE_HZ } from "./playout-queue";

/** Who is heard on a supervisor's line, as the first two bytes of a frame say. */
export const SIDES = ["caller", "agent", "person"] as const;
export type Side = (typeof SIDES)[number];

/**
 * More than this behind, and what is oldest is left out until so much is left. Clocks of two machines differ, and a
 * supervisor who is seconds behind steps in at the wrong moment. The agent may be 200 ms ahead of time by right.
 */
const BEHIND_MS: Record<Side, { most: number; left: number }> = {
  caller: { most: 300, left: 60 },
  agent: { most: 700, left: 260 },
  person: { most: 300, left: 60 },
};

const samplesOf = (ms: number) => (ms * WIRE_HZ) / 1000;
const nothing = () => {};

/** Both sides of a call, and whoever speaks for the agent, as one sound: each behind what waits of it. */
export class MonitorMix {
  readonly #queues: Record<Side, PlayoutQueue> = {
    caller: new PlayoutQueue(),
    agent: new PlayoutQueue(),
    person: new PlayoutQueue(),
  };
  /** Samples that were left out because they would have come too late. */
  skipped = 0;

  push(side: Side, pcm: Int16Array): void {
    const queue = this.#queues[side];
    queue.push(pcm);
    const { most, left } = BEHIND_MS[side];
    if (queue.queued <= samplesOf(most)) return;
    this.skipped += queue.queued - samplesOf(left);
    queue.skip(queue.queued - samplesOf(left));
  }

  /** Throws away what was not played of a side. */
  clear(side: Side): void {
    this.#queues[side].clear();
  }

  /** The next sample of all sides together. */
  next(): number {
    let sum = 0;
    for (const side of SIDES) sum += this.#queues[side].next(nothing);
    return Math.max(-1, Math.min(1, sum));
  }

  queued(side: Side): number {
    return this.#queues[side].queued;
  }

  played(side: Side): number {
    return this.#queues[side].played;
  }
}

/** A binary message of the supervisor's socket; null for a side that this page does not know. */
export function sideFrame(message: ArrayBuffer): { side: Side; pcm: Int16Array } | null {
  if (message.byteLength < 4) return null;
  const side = SIDES[new DataView(message).getUint16(0, true)];
  const samples = (message.byteLength - 2) >> 1;
  return side === undefined ? null : { side, pcm: new Int16Array(message, 2, samples) };
}

/** Root mean square of a frame, 0 to 1. */
export function levelOf(pcm: Int16Array): number {
  let power = 0;
  for (const sample of pcm) power += (sample / 32768) ** 2;
  return Math.sqrt(power / Math.max(1, pcm.length));
}
