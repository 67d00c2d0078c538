import {
  type CaptureCommand,
  type CapturedFrame,
  FRAME_SAMPLES,
  type PlaybackCommand,
  type PlaybackCounters,
  type PlaybackReport,
} from "./messages.js";

/** Why there is no microphone. */
export type MicProblem = "refused" | "missing" | "in_use" | "insecure" | "unknown";

/** What a line tells its owner. */
export interface LineListener {
  /** 20 ms of the caller, ready for the media socket. */
  onFrame(pcm: ArrayBuffer): void;
  /** Everything before this mark was heard. */
  onMark(id: number): void;
  onCallerLevel(level: number): void;
  onAgent(level: number, counters: PlaybackCounters): void;
  /** The microphone went away during the call. */
  onMicLost(): void;
}

const LATENCY_REFRESH_MS = 2_000;
/** What is on its way from the server when it stops. */
const ON_ITS_WAY_MS = 200;
/** Quieter than this is no speech: -60 dB. */
const SPEECH_LEVEL = 0.001;

/** Asks for the microphone, with the browser's own echo cancellation. */
export async function openMicrophone(): Promise<MediaStream | MicProblem> {
  if (!window.isSecureContext || navigator.mediaDevices === undefined) return "insecure";
  try {
    return await navigator.mediaDevices.getUserMedia({
      audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true, channelCount: 1 },
    });
  } catch (error) {
    return micProblem(error);
  }
}

function micProblem(error: unknown): MicProblem {
  const name = error instanceof DOMException ? error.name : "";
  if (name === "NotAllowedError" || name === "SecurityError") return "refused";
  if (name === "NotFoundError" || name === "OverconstrainedError") return "missing";
  if (name === "NotReadableError" || name === "AbortError") return "in_use";
  return "unknown";
}

/** Whether this page may play audio through a worklet at all: browsers allow it on https and on localhost. */
export function audioSupported(): boolean {
  return window.isSecureContext && "AudioWorkletNode" in window;
}

/** Microphone and loudspeaker of one call. */
export class AudioLine {
  readonly #context: AudioContext;
  readonly #microphone: MediaStream | null;
  readonly #capture: AudioWorkletNode;
  readonly #playback: AudioWorkletNode;
  readonly #latencyTimer: number;
  readonly #listener: LineListener;
  /** The other side as a track, where it does not come as frames. */
  #remote: { element: HTMLAudioElement; source: AudioNode; meter: AudioWorkletNode } | null = null;
  #quietTimer = 0;

  /**
   * Call it from a click or a key press, or the browser keeps the context suspended. `modules` are the addresses of the
   * worklets: one file that holds both, or two.
   */
  static async open(
    context: AudioContext,
    microphone: MediaStream | null,
    listener: LineListener,
    modules: readonly string[],
  ): Promise<AudioLine> {
    await Promise.all(modules.map((module) => context.audioWorklet.addModule(module)));
    await context.resume();
    return new AudioLine(context, microphone, listener);
  }

  private constructor(context: AudioContext, microphone: MediaStream | null, listener: LineListener) {
    this.#context = context;
    this.#microphone = microphone;
    this.#listener = listener;
    this.#playback = new AudioWorkletNode(context, "frontdesk-playback", {
      numberOfInputs: 0,
      outputChannelCount: [1],
    });
    this.#playback.connect(context.destination);
    this.#playback.port.onmessage = ({ data }: MessageEvent<PlaybackReport>) => {
      if (data.type === "mark") listener.onMark(data.id);
      else if (this.#remote === null) listener.onAgent(data.level, data);
    };
    this.#capture = new AudioWorkletNode(context, "frontdesk-capture", {
      channelCount: 1,
      channelCountMode: "explicit",
    });
    // Its output is silence; connected, so that every browser keeps it running.
    this.#capture.connect(context.destination);
    this.#capture.port.onmessage = ({ data }: MessageEvent<CapturedFrame>) => {
      listener.onCallerLevel(data.level);
      listener.onFrame(data.pcm);
    };
    if (microphone !== null) {
      context.createMediaStreamSource(microphone).connect(this.#capture);
      for (const track of microphone.getAudioTracks()) track.onended = () => listener.onMicLost();
    }
    // Phones suspend the context when another app takes the sound; a call wants it back.
    context.onstatechange = () => {
      if (context.state !== "running" && context.state !== "closed") context.resume().catch(() => {});
    };
    this.#sendLatency();
    this.#latencyTimer = window.setInterval(() => this.#sendLatency(), LATENCY_REFRESH_MS);
  }

  get sampleRateHz(): number {
    return this.#context.sampleRate;
  }

  /** What the caller says, for a transport that carries tracks. */
  get microphone(): MediaStream | null {
    return this.#microphone;
  }

  /** From now on the other side is this stream, and not what `play` is given. `null`: it is that again. */
  hear(stream: MediaStream | null): void {
    this.#forgetRemote();
    if (stream === null) return;
    // An element plays it: browsers cancel the echo of that, and Chromium feeds a worklet from no stream that nobody plays.
    const element = new Audio();
    element.srcObject = stream;
    element.play().catch(() => {});
    const source = this.#context.createMediaStreamSource(stream);
    const meter = new AudioWorkletNode(this.#context, "frontdesk-capture", {
      channelCount: 1,
      channelCountMode: "explicit",
    });
    source.connect(meter).connect(this.#context.destination);
    const counters = { played_samples: 0, queued_samples: 0, underruns: 0, dropped_samples: 0 };
    meter.port.onmessage = ({ data }: MessageEvent<CapturedFrame>) => {
      const level = element.muted ? 0 : data.level;
      if (level > SPEECH_LEVEL) counters.played_samples += FRAME_SAMPLES;
      this.#listener.onAgent(level, counters);
    };
    this.#remote = { element, source, meter };
  }

  play(pcm: ArrayBuffer): void {
    this.#tellPlayback({ type: "audio", pcm }, [pcm]);
  }

  mark(id: number): void {
    this.#tellPlayback({ type: "mark", id });
  }

  clear(): void {
    this.#tellPlayback({ type: "clear" });
    const remote = this.#remote;
    if (remote === null) return;
    // The server sends no more; what the network and the browser still hold is not heard either.
    remote.element.muted = true;
    window.clearTimeout(this.#quietTimer);
    this.#quietTimer = window.setTimeout(() => {
      remote.element.muted = false;
    }, ON_ITS_WAY_MS);
  }

  mute(muted: boolean): void {
    this.#tellCapture({ type: "mute", muted });
    for (const track of this.#microphone?.getAudioTracks() ?? []) track.enabled = !muted;
  }

  async close(): Promise<void> {
    window.clearInterval(this.#latencyTimer);
    this.#forgetRemote();
    for (const track of this.#microphone?.getTracks() ?? []) {
      track.onended = null;
      track.stop();
    }
    this.#context.onstatechange = null;
    this.#capture.port.onmessage = null;
    this.#playback.port.onmessage = null;
    this.#tellCapture({ type: "stop" });
    this.#tellPlayback({ type: "stop" });
    if (this.#context.state !== "closed") await this.#context.close();
  }

  #forgetRemote(): void {
    const remote = this.#remote;
    this.#remote = null;
    window.clearTimeout(this.#quietTimer);
    if (remote === null) return;
    remote.element.srcObject = null;
    remote.source.disconnect();
    remote.meter.port.onmessage = null;
    remote.meter.port.postMessage({ type: "stop" } satisfies CaptureCommand);
    remote.meter.disconnect();
  }

  #sendLatency(): void {
    this.#tellPlayback({ type: "latency", secs: (this.#context.outputLatency ?? 0) + this.#context.baseLatency });
  }

  #tellPlayback(command: PlaybackCommand, transfer: Transferable[] = []): void {
    this.#playback.port.postMessage(command, transfer);
  }

  #tellCapture(command: CaptureCommand): void {
    this.#capture.port.postMessage(command);
  }
}
