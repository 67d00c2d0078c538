/// <reference path="../../../sdks/js/src/audio/worklet-scope.d.ts" />
import type { MonitorCommand, MonitorReport } from "./messages";
import { MonitorMix } from "./monitor-mix";
import { WIRE_HZ } from "./playout-queue";
import { Resampler } from "./resampler";

const REPORT_MS = 100;

/** What a supervisor hears of a call. */
class Monitor extends AudioWorkletProcessor {
  readonly #mix = new MonitorMix();
  readonly #resampler = new Resampler(WIRE_HZ, sampleRate);
  #measured = 0;
  #stopped = false;

  constructor() {
    super();
    this.port.onmessage = ({ data }: MessageEvent<MonitorCommand>) => this.#command(data);
  }

  process(_inputs: Float32Array[][], outputs: Float32Array[][]): boolean {
    const channels = outputs[0] ?? [];
    const first = channels[0];
    if (first === undefined) return !this.#stopped;
    for (let i = 0; i < first.length; i++) {
      const sample = this.#resampler.pull(this.#next);
      for (const channel of channels) channel[i] = sample;
    }
    this.#measured += first.length;
    if (this.#measured >= (REPORT_MS * sampleRate) / 1000) this.#report();
    return !this.#stopped;
  }

  readonly #next = (): number => this.#mix.next();

  #command(command: MonitorCommand): void {
    switch (command.type) {
      case "audio":
        this.#mix.push(command.side, command.pcm);
        break;
      case "clear":
        this.#mix.clear(command.side);
        break;
      case "stop":
        this.#stopped = true;
        break;
    }
  }

  #report(): void {
    const of = (read: (side: "caller" | "agent" | "person") => number) => ({
      caller: read("caller"),
      agent: read("agent"),
      person: read("person"),
    });
    const report: MonitorReport = {
      played: of((side) => this.#mix.played(side)),
      queued: of((side) => this.#mix.queued(side)),
      skipped: this.#mix.skipped,
    };
    this.port.postMessage(report);
    this.#measured = 0;
  }
}

registerProcessor("frontdesk-monitor", Monitor);
