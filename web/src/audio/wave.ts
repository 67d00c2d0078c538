import { SIDES, type Side } from "./monitor-mix";

/** One bar of the picture. */
export const COLUMN_MS = 80;
/** More than any screen shows at once. */
const COLUMNS_KEPT = 512;
const FRAME_MS = 20;
/** The agent's audio comes in bursts ahead of its time; more than this ahead is none of it. */
const AHEAD_MS_MAX = 800;

interface Lane {
  peaks: Float32Array;
  /** Which column a peak is of: what is older than the ring is not mistaken for now. */
  columns: Float64Array;
  /** End of the last frame. */
  until_ms: number;
}

/** How loud each side of a call was lately, in columns of time: what comes ahead of time is drawn when it is heard. */
export class LiveWave {
  readonly #lanes: Record<Side, Lane> = { caller: lane(), agent: lane(), person: lane() };

  /** A frame of 20 ms that came now. */
  push(side: Side, level: number, now_ms: number): void {
    const one = this.#lanes[side];
    const at_ms = Math.max(now_ms, Math.min(one.until_ms, now_ms + AHEAD_MS_MAX));
    one.until_ms = at_ms + FRAME_MS;
    const column = Math.floor(at_ms / COLUMN_MS);
    const place = column % COLUMNS_KEPT;
    const known = one.columns[place] === column ? (one.peaks[place] as number) : 0;
    one.columns[place] = column;
    one.peaks[place] = Math.max(known, level);
  }

  /** What would have been heard later is not. */
  clear(side: Side, now_ms: number): void {
    const one = this.#lanes[side];
    const last = Math.floor(now_ms / COLUMN_MS);
    one.until_ms = now_ms;
    for (let place = 0; place < COLUMNS_KEPT; place++) {
      if ((one.columns[place] as number) > last) one.columns[place] = -1;
    }
  }

  /** The loudest of a column that lies so many columns before now, 0 to 1. */
  level(side: Side, ago: number, now_ms: number): number {
    const one = this.#lanes[side];
    const column = Math.floor(now_ms / COLUMN_MS) - ago;
    const place = ((column % COLUMNS_KEPT) + COLUMNS_KEPT) % COLUMNS_KEPT;
    return one.columns[place] === column ? (one.peaks[place] as number) : 0;
  }

  reset(): void {
    for (const side of SIDES) this.#lanes[side] = lane();
  }
}

function lane(): Lane {
  return {
    peaks: new Float32Array(COLUMNS_KEPT),
    columns: new Float64Array(COLUMNS_KEPT).fill(-1),
    until_ms: 0,
  };
}
