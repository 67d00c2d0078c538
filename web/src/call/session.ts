import { mediaUrl, webrtcUrl } from "../api/client";
import type { ClientMessage, ServerMessage } from "../api/types";
import {
  AudioLine,
  audioSupported,
  type LineClose,
  type LineListener,
  type LineMessage,
  type LineRoute,
  type LineTransport,
  openMicrophone,
  RtcLine,
} from "../audio/line";
import { FRAME_SAMPLES, type PlaybackCounters } from "../audio/messages";
import { t } from "../i18n";
import { levels } from "./levels";
import { type CallAction, type CallView, callReducer, initialCall } from "./reducer";
import { closeWords, micWords } from "./words";

const CONNECT_MS_MAX = 8_000;
/** After End, how long the server gets to close the socket by itself. */
const END_MS_MAX = 1_500;
/** After Interrupt, how long audio of the cut-off answer is thrown away while the server's `clear` is on its way. */
const INTERRUPT_MS_MAX = 1_000;
/** Without audio hardware, one silent frame this often keeps the line from being taken for dead. */
const KEEP_ALIVE_MS = 5_000;

/** Two seconds of microphone that the network has not taken; what comes after is dropped, for it would come too late. */
const UNSENT_BYTES_MAX = 64_000;

/** For tests and for the curious: what the audio path did. */
export interface Diagnostics extends PlaybackCounters {
  frames_sent: number;
  frames_dropped: number;
  marks_heard: number;
  context_hz: number;
  /** 1: by WebRTC, 0: by the WebSocket. */
  webrtc: number;
}

const diagnostics: Diagnostics = {
  played_samples: 0,
  queued_samples: 0,
  underruns: 0,
  dropped_samples: 0,
  frames_sent: 0,
  frames_dropped: 0,
  marks_heard: 0,
  context_hz: 0,
  webrtc: 0,
};

declare global {
  interface Window {
    __frontdesk: Diagnostics;
  }
}
window.__frontdesk = diagnostics;

/** The one call this page can be in. It outlives navigation between views. */
class CallSession {
  #view: CallView = initialCall;
  readonly #subscribers = new Set<() => void>();
  #socket: LineTransport | null = null;
  #line: AudioLine | null = null;
  #wakeLock: WakeLockSentinel | null = null;
  #keepAlive = 0;
  #endTimer = 0;
  #dropUntil = 0;
  /** What did not connect once is not waited for again. */
  #usesRtc = true;
  /** Tells a call apart from its successor while something is awaited. */
  #generation = 0;

  readonly subscribe = (subscriber: () => void): (() => void) => {
    this.#subscribers.add(subscriber);
    return () => this.#subscribers.delete(subscriber);
  };

  readonly view = (): CallView => this.#view;

  /** Must be called from a click or a key press. */
  async start(agent: string, withMicrophone: boolean): Promise<void> {
    if (this.#view.status !== "idle" && this.#view.status !== "ended") return;
    const generation = ++this.#generation;
    levels.reset();
    for (const counter of Object.keys(diagnostics) as (keyof Diagnostics)[]) diagnostics[counter] = 0;
    this.#dispatch({ type: "preparing" });
    const context = audioSupported() ? new AudioContext({ latencyHint: "interactive" }) : null;
    const microphone = withMicrophone ? await openMicrophone() : null;
    const stream = microphone instanceof MediaStream ? microphone : null;
    const line = context === null ? null : await this.#openLine(context, stream);
    if (generation !== this.#generation) {
      if (line === null) for (const track of stream?.getTracks() ?? []) track.stop();
      await line?.close();
      return;
    }
    this.#line = line;
    if (typeof microphone === "string") this.#dispatch({ type: "notice", text: micWords(microphone) });
    else if (line === null) this.#dispatch({ type: "notice", text: t("talk.no_audio") });
    diagnostics.context_hz = line?.sampleRateHz ?? 0;
    await this.#connect(agent);
  }

  sendText(text: string): void {
    const trimmed = text.trim();
    if (trimmed === "" || this.#view.status !== "live") return;
    this.#send({ type: "text", text: trimmed });
    this.#dispatch({ type: "typed", text: trimmed });
  }

  /** Silences the agent at once, and tells the server so that it knows what was not heard. */
  interrupt(): void {
    if (this.#view.status !== "live") return;
    this.#line?.clear();
    this.#dropUntil = performance.now() + INTERRUPT_MS_MAX;
    this.#send({ type: "interrupt" });
  }

  setMuted(muted: boolean): void {
    this.#line?.mute(muted);
    this.#dispatch({ type: "muted", muted });
  }

  end(): void {
    const { status } = this.#view;
    if (status === "idle" || status === "ended" || status === "ending") return;
    this.#send({ type: "end" });
    this.#line?.clear();
    if (this.#socket?.readyState !== WebSocket.OPEN) {
      this.#finish(null);
      return;
    }
    this.#dispatch({ type: "ending" });
    this.#endTimer = window.setTimeout(() => this.#finish(null), END_MS_MAX);
  }

  /** How the audio goes, where it goes by WebRTC. */
  async route(): Promise<LineRoute | null> {
    return this.#socket instanceof RtcLine ? this.#socket.route() : null;
  }

  reset(): void {
    if (this.#view.status === "ended") this.#dispatch({ type: "reset" });
  }

  async #openLine(context: AudioContext, microphone: MediaStream | null): Promise<AudioLine | null> {
    try {
      return await AudioLine.open(context, microphone, this.#listener);
    } catch {
      await context.close();
      return null;
    }
  }

  readonly #listener: LineListener = {
    onFrame: (pcm) => {
      if (this.#socket?.readyState !== WebSocket.OPEN || this.#view.status !== "live") return;
      if (this.#socket.bufferedAmount > UNSENT_BYTES_MAX) {
        diagnostics.frames_dropped++;
        return;
      }
      this.#socket.send(pcm);
      diagnostics.frames_sent++;
    },
    onMark: (id) => {
      diagnostics.marks_heard++;
      this.#send({ type: "mark", id });
    },
    onCallerLevel: (level) => levels.caller.push(level),
    onAgent: (level, counters) => {
      levels.agent.push(level);
      diagnostics.played_samples = counters.played_samples;
      diagnostics.queued_samples = counters.queued_samples;
      diagnostics.underruns = counters.underruns;
      diagnostics.dropped_samples = counters.dropped_samples;
    },
    onMicLost: () => this.#dispatch({ type: "notice", text: t("talk.mic_lost") }),
  };

  async #connect(agent: string): Promise<void> {
    this.#dispatch({ type: "connecting" });
    const generation = this.#generation;
    const microphone = this.#line?.microphone ?? null;
    const rtc = microphone === null || !this.#usesRtc ? null : await RtcLine.open(webrtcUrl(), {}, microphone);
    if (rtc === null && microphone !== null) this.#usesRtc = false;
    if (generation !== this.#generation) {
      rtc?.close();
      return;
    }
    diagnostics.webrtc = rtc === null ? 0 : 1;
    this.#line?.hear(rtc?.remote ?? null);
    const socket = rtc ?? webSocket();
    this.#socket = socket;
    const deadline = window.setTimeout(() => socket.close(), CONNECT_MS_MAX);
    const onOpen = () => {
      window.clearTimeout(deadline);
      this.#send({ type: "start", agent });
      this.#dispatch({ type: "connected", nowMs: Date.now(), transport: rtc === null ? "websocket" : "webrtc" });
      void this.#stayAwake();
      if (this.#line === null) this.#keepAlive = window.setInterval(this.#sendSilence, KEEP_ALIVE_MS);
    };
    if (socket.readyState === WebSocket.OPEN) onOpen();
    else socket.onopen = onOpen;
    socket.onmessage = ({ data }: LineMessage) => {
      if (typeof data === "string") this.#onText(data);
      else this.#onAudio(data);
    };
    socket.onclose = ({ code, reason }: LineClose) => {
      window.clearTimeout(deadline);
      if (this.#socket !== socket) return;
      const { status, endedReason } = this.#view;
      const expected = status === "ending" || endedReason !== null;
      this.#finish(expected ? null : closeWords(code, reason, status === "live"));
    };
  }

  /** A phone that dims its screen would take the microphone away. */
  async #stayAwake(): Promise<void> {
    try {
      this.#wakeLock = (await navigator.wakeLock?.request("screen")) ?? null;
      if (this.#socket === null) await this.#wakeLock?.release();
    } catch {
      // Low battery or no permission: the call goes on all the same.
    }
  }

  readonly #sendSilence = (): void => {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(new ArrayBuffer(FRAME_SAMPLES * 2));
  };

  #onAudio(pcm: ArrayBuffer): void {
    if (performance.now() < this.#dropUntil || this.#view.status !== "live") return;
    this.#line?.play(pcm.byteLength % 2 === 0 ? pcm : pcm.slice(0, -1));
  }

  #onText(text: string): void {
    const message = parseMessage(text);
    if (message === null) return;
    switch (message.type) {
      case "mark":
        this.#onMark(message.id);
        break;
      case "clear":
        this.#dropUntil = 0;
        this.#line?.clear();
        break;
      case "live":
        // What was cut off is written down: audio from here on belongs to what follows.
        if (message.event === "agent_turn") this.#dropUntil = 0;
        this.#dispatch({ type: "live", event: message });
        break;
    }
  }

  #onMark(id: number): void {
    // Audio before it was thrown away, so it must not be reported as heard.
    if (performance.now() < this.#dropUntil) return;
    if (this.#line !== null) this.#line.mark(id);
    else this.#send({ type: "mark", id });
  }

  #finish(problem: string | null): void {
    this.#generation++;
    window.clearInterval(this.#keepAlive);
    window.clearTimeout(this.#endTimer);
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
    void this.#wakeLock?.release();
    this.#wakeLock = null;
    void this.#line?.close();
    this.#line = null;
    this.#dropUntil = 0;
    levels.reset();
    this.#dispatch({ type: "closed", problem, nowMs: Date.now() });
  }

  #send(message: ClientMessage): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  #dispatch(action: CallAction): void {
    const next = callReducer(this.#view, action);
    if (next === this.#view) return;
    this.#view = next;
    for (const subscriber of this.#subscribers) subscriber();
  }
}

function webSocket(): WebSocket {
  const socket = new WebSocket(mediaUrl());
  socket.binaryType = "arraybuffer";
  return socket;
}

function parseMessage(text: string): ServerMessage | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && "type" in value ? (value as ServerMessage) : null;
  } catch {
    return null;
  }
}

export const session = new CallSession();
