/** What exists inside an AudioWorklet; the DOM library does not describe it. */
declare class AudioWorkletProcessor {
  readonly port: MessagePort;
  constructor(options?: AudioWorkletNodeOptions);
}

declare function registerProcessor(name: string, processor: new () => AudioWorkletProcessor): void;

/** Of the context, in Hz. */
declare const sampleRate: number;
