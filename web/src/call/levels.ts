/** How loud both sides were lately. Kept out of the reducer: it changes fifty times a second. */
export const HISTORY_COLUMNS = 160;
/** Four frames of 20 ms per column: what is drawn is the last 12.8 s. */
const FRAMES_PER_COLUMN = 4;

class Track {
  readonly history = new Float32Array(HISTORY_COLUMNS);
  current = 0;
  #peak = 0;
  #frames = 0;

  push(level: number): boolean {
    this.current = level;
    this.#peak = Math.max(this.#peak, level);
    if (++this.#frames < FRAMES_PER_COLUMN) return false;
    this.history.copyWithin(0, 1);
    this.history[HISTORY_COLUMNS - 1] = this.#peak;
    this.#peak = 0;
    this.#frames = 0;
    return true;
  }

  reset(): void {
    this.history.fill(0);
    this.current = 0;
  }
}

export const levels = {
  caller: new Track(),
  agent: new Track(),
  reset() {
    levels.caller.reset();
    levels.agent.reset();
  },
};

/** Loudness as ears judge it: -54 dB and below is nothing, -9 dB and above is everything. */
export function loudness(level: number): number {
  if (level <= 0) return 0;
  return Math.max(0, Math.min(1, (20 * Math.log10(level) + 54) / 45));
}
