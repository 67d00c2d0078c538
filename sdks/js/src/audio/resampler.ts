/**
 * Converts between sample rates with a windowed-sinc polyphase filter. State is kept between blocks, so a stream may be
 * cut anywhere without clicks or drift.
 */
const TAPS_PER_PHASE = 24;
const ROLL_OFF = 0.92;
const KAISER_BETA = 7;

export class Resampler {
  readonly #up: number;
  readonly #down: number;
  readonly #phases: Float32Array[];
  readonly #taps: number;
  /** The last `taps` input samples as a ring written twice, so that a window is always contiguous. */
  readonly #history: Float32Array;
  #head = 0;
  /** Position of the next output, in 1/up of an input sample, relative to the newest input. */
  #phase = 0;

  constructor(from_hz: number, to_hz: number) {
    const divisor = gcd(from_hz, to_hz);
    this.#up = to_hz / divisor;
    this.#down = from_hz / divisor;
    // When the rate falls, the filter must be longer by the same factor to keep its slope.
    this.#taps = Math.ceil(TAPS_PER_PHASE * Math.max(1, from_hz / to_hz));
    this.#phases = polyphase(this.#up, this.#taps, Math.min(1, to_hz / from_hz) * ROLL_OFF);
    this.#history = new Float32Array(this.#taps * 2);
  }

  /** Takes one input sample and hands every output sample that it makes possible to `emit`. */
  push(sample: number, emit: (sample: number) => void): void {
    this.#remember(sample);
    while (this.#phase < this.#up) {
      emit(this.#filter(this.#phase));
      this.#phase += this.#down;
    }
    this.#phase -= this.#up;
  }

  /** Makes one output sample, asking `next` for as many input samples as that takes. */
  pull(next: () => number): number {
    while (this.#phase >= this.#up) {
      this.#remember(next());
      this.#phase -= this.#up;
    }
    const sample = this.#filter(this.#phase);
    this.#phase += this.#down;
    return sample;
  }

  #remember(sample: number): void {
    this.#history[this.#head] = sample;
    this.#history[this.#head + this.#taps] = sample;
    this.#head = (this.#head + 1) % this.#taps;
  }

  #filter(phase: number): number {
    const taps = this.#phases[phase] as Float32Array;
    let sum = 0;
    for (let i = 0; i < this.#taps; i++) {
      sum += (this.#history[this.#head + i] as number) * (taps[i] as number);
    }
    return sum;
  }
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}

function polyphase(up: number, taps: number, cutoff: number): Float32Array[] {
  const centre = taps / 2;
  const phases: Float32Array[] = [];
  for (let phase = 0; phase < up; phase++) {
    const row = new Float32Array(taps);
    let sum = 0;
    for (let i = 0; i < taps; i++) {
      // Index 0 is the oldest sample of the window.
      const x = i - centre + 1 - phase / up;
      const value = cutoff * sinc(x * cutoff) * kaiser(x / centre);
      row[i] = value;
      sum += value;
    }
    for (let i = 0; i < taps; i++) row[i] = (row[i] as number) / sum;
    phases.push(row);
  }
  return phases;
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

function kaiser(x: number): number {
  return Math.abs(x) >= 1 ? 0 : bessel0(KAISER_BETA * Math.sqrt(1 - x * x)) / bessel0(KAISER_BETA);
}

/** Modified Bessel function of the first kind, order zero, by its series. */
function bessel0(x: number): number {
  let sum = 1;
  let term = 1;
  for (let k = 1; k < 30; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}
