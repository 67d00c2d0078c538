/// <reference path="./worklet-scope.d.ts" />
import type { PlaybackCommand, PlaybackReport } from "./messages.js";
import { PlayoutQueue, WIRE_HZ } from "./playout-queue.js";
import { Resampler } from "./resampler.js";

/** How often the page is told of the level and the counters. */
const REPORT_MS = 20;
const LATENCY_SECS_MAX = 0.5;

/** Plays what the server sends, and reports a mark when the sample before it has reached the ear. */
class Playback extends AudioWorkletProcessor {
  readonly #queue = new PlayoutQueue();
  readonly #resampler = new Resampler(WIRE_HZ, sampleRate);
  /** Marks that left the queue and are on their way to the ear, with the clock at which they get there. */
  #due: { id: number; at: number }[] = [];
  #clock = 0;
  #latency = 0;
  #power = 0;
  #measured = 0;
  #stopped = false;

  constructor() {
    super();
    this.port.onmessage = ({ data }: MessageEvent<PlaybackCommand>) => this.#command(data);
  }

  process(_inputs: Float32Array[][], outputs: Float32Array[][]): boolean {
    const channels = outputs[0] ?? [];
    const first = channels[0];
    if (first === undefined) return !this.#stopped;
    for (let i = 0; i < first.length; i++) {
      const sample = this.#resampler.pull(this.#next);
      for (const channel of channels) channel[i] = sample;
      this.#power += sample * sample;
      this.#clock++;
    }
    this.#measured += first.length;
    this.#tellDueMarks();
    if (this.#measured >= (REPORT_MS * sampleRate) / 1000) this.#report();
    return !this.#stopped;
  }

  readonly #reached = (id: number): void => {
    this.#due.push({ id, at: this.#clock + this.#latency * sampleRate });
  };

  readonly #next = (): number => this.#queue.next(this.#reached);

  #command(command: PlaybackCommand): void {
    switch (command.type) {
      case "audio":
        this.#queue.push(new Int16Array(command.pcm));
        break;
      case "mark":
        this.#queue.mark(command.id);
        break;
      case "clear":
        this.#queue.clear();
        this.#due = [];
        break;
      case "latency":
        this.#latency = Math.max(0, Math.min(LATENCY_SECS_MAX, command.secs));
        break;
      case "stop":
        this.#stopped = true;
        break;
    }
  }

  #tellDueMarks(): void {
    while (this.#due[0] !== undefined && this.#due[0].at <= this.#clock) {
      this.#post({ type: "mark", id: this.#due[0].id });
      this.#due.shift();
    }
  }

  #report(): void {
    this.#post({
      type: "progress",
      level: Math.sqrt(this.#power / this.#measured),
      played_samples: this.#queue.played,
      queued_samples: this.#queue.queued,
      underruns: this.#queue.underruns,
      dropped_samples: this.#queue.dropped,
    });
    this.#power = 0;
    this.#measured = 0;
  }

  #post(report: PlaybackReport): void {
    this.port.postMessage(report);
  }
}

registerProcessor("frontdesk-playback", Playback);
