/// <reference path="./worklet-scope.d.ts" />
import { type CaptureCommand, type CapturedFrame, FRAME_SAMPLES } from "./messages.js";
import { WIRE_HZ } from "./playout-queue.js";
import { Resampler } from "./resampler.js";

/** Turns the microphone into 20 ms frames. Without a microphone, or muted, the frames are silence: the line stays open. */
class Capture extends AudioWorkletProcessor {
  readonly #resampler = new Resampler(sampleRate, WIRE_HZ);
  #frame = new Int16Array(FRAME_SAMPLES);
  #filled = 0;
  #power = 0;
  #muted = false;
  #stopped = false;

  constructor() {
    super();
    this.port.onmessage = ({ data }: MessageEvent<CaptureCommand>) => {
      if (data.type === "mute") this.#muted = data.muted;
      else this.#stopped = true;
    };
  }

  process(inputs: Float32Array[][], outputs: Float32Array[][]): boolean {
    const input = inputs[0]?.[0];
    const length = input?.length ?? outputs[0]?.[0]?.length ?? 128;
    for (let i = 0; i < length; i++) {
      this.#resampler.push(this.#muted ? 0 : (input?.[i] ?? 0), this.#collect);
    }
    return !this.#stopped;
  }

  readonly #collect = (sample: number): void => {
    const clipped = Math.max(-1, Math.min(1, sample));
    this.#frame[this.#filled] = clipped < 0 ? clipped * 32768 : clipped * 32767;
    this.#power += clipped * clipped;
    this.#filled++;
    if (this.#filled < FRAME_SAMPLES) return;
    const message: CapturedFrame = { pcm: this.#frame.buffer, level: Math.sqrt(this.#power / FRAME_SAMPLES) };
    this.port.postMessage(message, [this.#frame.buffer]);
    this.#frame = new Int16Array(FRAME_SAMPLES);
    this.#filled = 0;
    this.#power = 0;
  };
}

registerProcessor("frontdesk-capture", Capture);
