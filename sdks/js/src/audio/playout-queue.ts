/**
 * What waits to be played: samples at 16 kHz, and marks between them. Runs inside the playback worklet, so `clear` and
 * marks are exact to the sample.
 */
export const WIRE_HZ = 16_000;
/** More than the server ever sends ahead; beyond it the oldest audio is dropped. */
const QUEUE_MS_MAX = 10_000;
/** After an empty queue this much is collected first, so that a jittery network gives one gap and not many. */
const PRIME_MS = 40;
/** A gap shorter than this, with more audio behind it, was a hole in speech and not a pause between turns. */
const GAP_MS_MAX = 300;

interface Mark {
  id: number;
  /** Samples that must have been played before it. */
  at: number;
}

export class PlayoutQueue {
  readonly #ring = new Float32Array((QUEUE_MS_MAX * WIRE_HZ) / 1000);
  #read = 0;
  #written = 0;
  #marks: Mark[] = [];
  #primed = false;
  /** Samples since the queue ran empty. */
  #idle = Number.POSITIVE_INFINITY;
  #waited = 0;

  /** Samples that came out of the queue as sound. */
  played = 0;
  /** Holes in speech. */
  underruns = 0;
  /** Samples dropped because the queue was full. */
  dropped = 0;

  get queued(): number {
    return this.#written - this.#read;
  }

  push(pcm: Int16Array): void {
    if (pcm.length === 0) return;
    if (this.queued === 0 && this.#idle < (GAP_MS_MAX * WIRE_HZ) / 1000) this.underruns++;
    if (this.queued === 0) this.#waited = 0;
    for (const sample of pcm) {
      this.#ring[this.#written % this.#ring.length] = sample / 32768;
      this.#written++;
    }
    const over = this.queued - this.#ring.length;
    if (over > 0) {
      this.#read += over;
      this.dropped += over;
    }
  }

  mark(id: number): void {
    this.#marks.push({ id, at: this.#written });
  }

  /** Throws away what was not played, and the marks with it. */
  clear(): void {
    this.#read = this.#written;
    this.#marks = [];
    this.#primed = false;
    this.#idle = Number.POSITIVE_INFINITY;
  }

  /** Leaves out so many of the oldest samples, for a listener who is to be in time rather than complete. */
  skip(samples: number): void {
    this.#read += Math.min(samples, this.queued);
  }

  /** The next sample, or silence. `reached` is told every mark that the sample completes. */
  next(reached: (id: number) => void): number {
    this.#tellMarks(reached);
    if (!this.#ready()) {
      this.#idle++;
      return 0;
    }
    const sample = this.#ring[this.#read % this.#ring.length] as number;
    this.#read++;
    this.played++;
    if (this.queued === 0) {
      this.#primed = false;
      this.#idle = 0;
    }
    this.#tellMarks(reached);
    return sample;
  }

  #ready(): boolean {
    if (this.queued === 0) return false;
    if (this.#primed) return true;
    this.#waited++;
    const prime = (PRIME_MS * WIRE_HZ) / 1000;
    // A mark behind the last sample says that nothing more is coming: no use in waiting.
    const tail = this.#marks.at(-1)?.at === this.#written;
    this.#primed = this.queued >= prime || this.#waited >= prime || tail;
    return this.#primed;
  }

  #tellMarks(reached: (id: number) => void): void {
    while (this.#marks[0] !== undefined && this.#marks[0].at <= this.#read) {
      reached(this.#marks[0].id);
      this.#marks.shift();
      // Whoever speaks next begins anew: a pause after a mark is not a hole.
      if (this.queued === 0) this.#idle = Number.POSITIVE_INFINITY;
    }
  }
}
