import captureUrl from "../../../sdks/js/src/audio/capture.worklet.ts?worker&url";
import { type MicProblem, openMicrophone } from "./line";
import type { CaptureCommand, CapturedFrame, MonitorCommand, MonitorReport } from "./messages";
import monitorUrl from "./monitor.worklet.ts?worker&url";
import type { Side } from "./monitor-mix";

export interface MonitorListener {
  /** 20 ms of the supervisor's microphone, or of silence when there is none. */
  onFrame(pcm: ArrayBuffer, level: number): void;
  onReport(report: MonitorReport): void;
  /** The microphone went away. */
  onMicLost(): void;
}

/** Loudspeaker of a supervisor, and from when they speak on their microphone. */
export class MonitorLine {
  readonly #context: AudioContext;
  readonly #listener: MonitorListener;
  readonly #playback: AudioWorkletNode;
  #capture: AudioWorkletNode | null = null;
  #microphone: MediaStream | null = null;

  /** Call it from a click or a key press, or the browser keeps the context suspended. */
  static async open(context: AudioContext, listener: MonitorListener): Promise<MonitorLine> {
    await context.audioWorklet.addModule(monitorUrl);
    await context.resume();
    return new MonitorLine(context, listener);
  }

  private constructor(context: AudioContext, listener: MonitorListener) {
    this.#context = context;
    this.#listener = listener;
    this.#playback = new AudioWorkletNode(context, "frontdesk-monitor", { numberOfInputs: 0, outputChannelCount: [1] });
    this.#playback.connect(context.destination);
    this.#playback.port.onmessage = ({ data }: MessageEvent<MonitorReport>) => listener.onReport(data);
    context.onstatechange = () => {
      if (context.state !== "running" && context.state !== "closed") context.resume().catch(() => {});
    };
  }

  /** A suspended context plays nothing, and would play all that waits later: it is given nothing. */
  play(side: Side, pcm: Int16Array): void {
    if (this.#context.state !== "running") return;
    const own = pcm.slice();
    this.#tell({ type: "audio", side, pcm: own }, [own.buffer]);
  }

  clear(side: Side): void {
    this.#tell({ type: "clear", side });
  }

  /** Opens the microphone if it is not open; without one, frames of silence keep the line. Answers what is wrong with it. */
  async openMicrophone(): Promise<MicProblem | null> {
    if (this.#microphone !== null) return null;
    const opened = await openMicrophone();
    await this.#openCapture();
    if (!(opened instanceof MediaStream)) return opened;
    if (this.#microphone !== null || this.#capture === null || this.#context.state === "closed") {
      for (const track of opened.getTracks()) track.stop();
      return null;
    }
    this.#microphone = opened;
    this.#context.createMediaStreamSource(opened).connect(this.#capture);
    for (const track of opened.getAudioTracks()) {
      track.onended = () => {
        this.#microphone = null;
        this.#listener.onMicLost();
      };
    }
    return null;
  }

  mute(muted: boolean): void {
    const command: CaptureCommand = { type: "mute", muted };
    this.#capture?.port.postMessage(command);
  }

  async close(): Promise<void> {
    for (const track of this.#microphone?.getTracks() ?? []) {
      track.onended = null;
      track.stop();
    }
    this.#context.onstatechange = null;
    this.#playback.port.onmessage = null;
    this.#tell({ type: "stop" });
    if (this.#capture !== null) {
      const stop: CaptureCommand = { type: "stop" };
      this.#capture.port.onmessage = null;
      this.#capture.port.postMessage(stop);
    }
    if (this.#context.state !== "closed") await this.#context.close();
  }

  async #openCapture(): Promise<void> {
    if (this.#capture !== null || this.#context.state === "closed") return;
    await this.#context.audioWorklet.addModule(captureUrl);
    if (this.#capture !== null) return;
    const node = new AudioWorkletNode(this.#context, "frontdesk-capture", {
      channelCount: 1,
      channelCountMode: "explicit",
    });
    node.connect(this.#context.destination);
    node.port.onmessage = ({ data }: MessageEvent<CapturedFrame>) => this.#listener.onFrame(data.pcm, data.level);
    this.#capture = node;
  }

  #tell(command: MonitorCommand, transfer: Transferable[] = []): void {
    this.#playback.port.postMessage(command, transfer);
  }
}
