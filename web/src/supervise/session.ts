import { api, superviseUrl } from "../api/client";
import { ApiError } from "../api/problem";
import type { JournalRecord, LiveEvent, SuperviseCommand, SuperviseMessage } from "../api/types";
import { audioSupported } from "../audio/line";
import type { MonitorReport } from "../audio/messages";
import { MonitorLine, type MonitorListener } from "../audio/monitor";
import { levelOf, SIDES, type Side, sideFrame } from "../audio/monitor-mix";
import { LiveWave } from "../audio/wave";
import { refreshSession } from "../auth/session";
import { closedLine, isMine, type Refusal, type SuperviseAction, type SuperviseView, superviseReducer } from "./view";

/** The first try follows at once: a call that somebody has goes back to the agent after four seconds without their line. */
const RECONNECT_MS_MIN = 250;
const RECONNECT_MS_MAX = 8_000;
const CONNECT_MS_MAX = 8_000;
/** What was said is on its way for so long when the button is let go. */
const TAIL_MS = 250;
/** Half a second of microphone that the network has not taken; what comes after would come too late. */
const UNSENT_BYTES_MAX = 16_000;
const BUFFERED_EVENTS_MAX = 500;

const TRY_AGAIN = 1013;
const OVER = 1000;

/** For tests and for the curious: what the audio path did. */
export interface SuperviseDiagnostics {
  frames_heard: Record<Side, number>;
  frames_sent: number;
  clears: number;
  connections: number;
  report: MonitorReport | null;
}

declare global {
  interface Window {
    __supervise: SuperviseDiagnostics;
  }
}

const fresh = (): SuperviseDiagnostics => ({
  frames_heard: { caller: 0, agent: 0, person: 0 },
  frames_sent: 0,
  clears: 0,
  connections: 0,
  report: null,
});

/** The one call that this page is at. It outlives the panel while its user has the call. */
class Supervision {
  /** How loud each side is; outside the view, for it changes fifty times a second. */
  readonly wave = new LiveWave();
  #view: SuperviseView = closedLine;
  readonly #subscribers = new Set<() => void>();
  #socket: WebSocket | null = null;
  #line: MonitorLine | null = null;
  /** What came over the line while the journal was on its way. */
  #waiting: LiveEvent[] | null = null;
  #retryMs = RECONNECT_MS_MIN;
  #retryTimer = 0;
  #tailTimer = 0;
  #diagnostics = fresh();
  /** Tells a line apart from its successor while something is awaited. */
  #generation = 0;

  constructor() {
    window.__supervise = this.#diagnostics;
    window.addEventListener("beforeunload", (event) => {
      if (isMine(this.#view)) event.preventDefault();
    });
  }

  readonly subscribe = (subscriber: () => void): (() => void) => {
    this.#subscribers.add(subscriber);
    return () => this.#subscribers.delete(subscriber);
  };

  readonly view = (): SuperviseView => this.#view;

  /** Goes to a call. Whoever has another one stays there: it must be handed back first. */
  open(call: string): void {
    if (this.#view.call === call) this.#left = false;
    if (this.#view.call === call || isMine(this.#view)) return;
    this.#end();
    window.__supervise = this.#diagnostics = fresh();
    this.wave.reset();
    this.#left = false;
    this.#dispatch({ type: "opened", call });
    this.#connect();
  }

  /** The panel is closed. The line stays while this user has the call. */
  leave(call: string): void {
    if (this.#view.call !== call) return;
    this.#left = true;
    this.#closeIfLeft();
    this.#tell();
  }

  #left = false;

  #closeIfLeft(): void {
    if (!this.#left || isMine(this.#view)) return;
    this.#left = false;
    this.#end();
    this.#view = closedLine;
  }

  /** Must be called from a click or a key press. */
  async listen(on: boolean): Promise<void> {
    this.#dispatch({ type: "listening", on });
    if (on) await this.#audio();
    else for (const side of SIDES) this.#line?.clear(side);
  }

  /** For whoever has the call on a page that was loaded anew. Must be called from a click or a key press. */
  async speak(): Promise<void> {
    await Promise.all([this.listen(true), this.#openMicrophone()]);
  }

  /** Must be called from a click or a key press. The agent falls silent once the microphone is there, or is known not to be. */
  async takeOver(): Promise<void> {
    const generation = this.#generation;
    await this.speak();
    if (generation === this.#generation) this.#command({ type: "take_over" });
  }

  handBack(): void {
    window.clearTimeout(this.#tailTimer);
    this.#command({ type: "hand_back" });
    this.setMuted(false);
  }

  hold(on: boolean): void {
    this.#command({ type: on ? "hold" : "unhold" });
  }

  /** Whether what is heard goes on the recording. */
  record(on: boolean): void {
    this.#command({ type: on ? "resume_recording" : "pause_recording" });
  }

  /** While pressed, this user is heard instead of the agent. */
  async press(pressed: boolean): Promise<void> {
    if (this.#view.pressed === pressed) return;
    if (pressed && isMine(this.#view)) return;
    this.#dispatch({ type: "pressed", pressed });
    if (!pressed) {
      if (this.#bargedIn) this.#tailTimer = window.setTimeout(() => this.#letGo(), TAIL_MS);
      return;
    }
    window.clearTimeout(this.#tailTimer);
    const generation = this.#generation;
    await Promise.all([this.#audio(), this.#openMicrophone()]);
    // Whoever was asked for the microphone meanwhile has let go.
    if (generation !== this.#generation || !this.#view.pressed || this.#view.microphone !== "on") return;
    this.#bargedIn = true;
    this.#command({ type: "barge_in" });
  }

  #bargedIn = false;

  #letGo(): void {
    this.#bargedIn = false;
    if (!this.#view.pressed) this.#command({ type: "hand_back" });
  }

  setMuted(muted: boolean): void {
    this.#line?.mute(muted);
    this.#dispatch({ type: "muted", muted });
  }

  noticeRead(): void {
    this.#dispatch({ type: "notice_read" });
  }

  #connect(): void {
    const call = this.#view.call;
    if (call === null) return;
    const socket = new WebSocket(superviseUrl(call));
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    this.#waiting = [];
    let ready = false;
    const deadline = window.setTimeout(() => socket.close(), CONNECT_MS_MAX);
    socket.onmessage = ({ data }: MessageEvent<ArrayBuffer | string>) => {
      if (this.#socket !== socket) return;
      if (typeof data !== "string") return this.#onAudio(data);
      const message = parse(data);
      if (message?.type !== "ready") return this.#onText(message);
      ready = true;
      window.clearTimeout(deadline);
      this.#retryMs = RECONNECT_MS_MIN;
      this.#diagnostics.connections++;
      this.#dispatch({ type: "ready", by: message.by, recorded: message.recorded ?? true, held: message });
      void this.#readJournal(call);
    };
    socket.onclose = ({ code }) => {
      window.clearTimeout(deadline);
      if (this.#socket !== socket) return;
      this.#socket = null;
      if (code === OVER) this.#finish("over");
      else if (ready) this.#retry(code === TRY_AGAIN ? 0 : this.#retryMs);
      else void this.#findOutWhy(call);
    };
  }

  #retry(wait_ms: number): void {
    this.#dispatch({ type: "line", line: "lost" });
    for (const side of SIDES) this.#line?.clear(side);
    window.clearTimeout(this.#retryTimer);
    this.#retryTimer = window.setTimeout(() => this.#connect(), wait_ms);
    this.#retryMs = Math.min(this.#retryMs * 2, RECONNECT_MS_MAX);
  }

  /** Browsers do not tell why a socket did not open; the call itself does. */
  async #findOutWhy(call: string): Promise<void> {
    const generation = this.#generation;
    const refuse = (refusal: Refusal) => this.#dispatch({ type: "line", line: "refused", refusal });
    try {
      await refreshSession();
      const { data } = await api.GET("/api/v1/calls/{id}", { params: { path: { id: call } } });
      if (generation !== this.#generation || data === undefined) return;
      if (data.call.ended_at_ms != null) return this.#finish("over");
      this.#dispatch({ type: "journal", records: data.journal as unknown as JournalRecord[] });
      if (!data.live) return refuse("elsewhere");
      if (this.#retryMs >= RECONNECT_MS_MAX) return refuse("too_many");
    } catch (error) {
      if (generation !== this.#generation) return;
      if (error instanceof ApiError && error.status === 404) return this.#finish("over");
      if (error instanceof ApiError && error.status === 403) return refuse("forbidden");
    }
    this.#retry(this.#retryMs);
  }

  /** What was said before; events that come meanwhile wait. */
  async #readJournal(call: string): Promise<void> {
    const generation = this.#generation;
    try {
      const { data } = await api.GET("/api/v1/calls/{id}", { params: { path: { id: call } } });
      if (generation !== this.#generation) return;
      if (data !== undefined) {
        this.#dispatch({ type: "journal", records: data.journal as unknown as JournalRecord[] });
      }
    } catch {
      // The line works without what was before.
    } finally {
      if (generation === this.#generation) {
        const waiting = this.#waiting ?? [];
        this.#waiting = null;
        for (const event of waiting) this.#dispatch({ type: "live", event });
      }
    }
  }

  #onText(message: SuperviseMessage | null): void {
    switch (message?.type) {
      case "clear":
        this.#diagnostics.clears++;
        this.#line?.clear("agent");
        this.wave.clear("agent", performance.now());
        break;
      case "live":
        if (this.#waiting === null) this.#dispatch({ type: "live", event: message });
        else if (this.#waiting.length < BUFFERED_EVENTS_MAX) this.#waiting.push(message);
        break;
      case "holder":
        this.#dispatch({ type: "holder", held: message });
        break;
      case "refused":
        this.#dispatch({ type: "refused", command: message.command, detail: message.detail });
        break;
    }
  }

  #onAudio(message: ArrayBuffer): void {
    const frame = sideFrame(message);
    if (frame === null) return;
    const { side, pcm } = frame;
    this.#diagnostics.frames_heard[side]++;
    this.wave.push(side, levelOf(pcm), performance.now());
    // Nobody wants to hear themselves.
    const own = side === "person" && (isMine(this.#view) || this.#bargedIn);
    if (this.#view.listening && !own) this.#line?.play(side, pcm);
  }

  async #audio(): Promise<MonitorLine | null> {
    if (this.#line !== null || !audioSupported()) return this.#line;
    this.#opening ??= MonitorLine.open(new AudioContext({ latencyHint: "interactive" }), this.#listener).catch(
      () => null,
    );
    const generation = this.#generation;
    const line = await this.#opening;
    if (generation !== this.#generation) {
      await line?.close();
      return null;
    }
    this.#opening = null;
    this.#line = line;
    if (line === null) this.#dispatch({ type: "listening", on: false });
    return line;
  }

  #opening: Promise<MonitorLine | null> | null = null;

  async #openMicrophone(): Promise<void> {
    if (this.#view.microphone === "on") return;
    const generation = this.#generation;
    this.#dispatch({ type: "microphone", microphone: "opening" });
    const line = await this.#audio();
    const problem = line === null ? "insecure" : await line.openMicrophone();
    if (generation === this.#generation) this.#dispatch({ type: "microphone", microphone: problem ?? "on" });
  }

  readonly #listener: MonitorListener = {
    onFrame: (pcm) => {
      const socket = this.#socket;
      if (socket?.readyState !== WebSocket.OPEN || !(isMine(this.#view) || this.#bargedIn)) return;
      if (socket.bufferedAmount > UNSENT_BYTES_MAX) return;
      socket.send(pcm);
      this.#diagnostics.frames_sent++;
    },
    onReport: (report) => {
      this.#diagnostics.report = report;
    },
    onMicLost: () => this.#dispatch({ type: "microphone", microphone: "missing" }),
  };

  #command(command: SuperviseCommand): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(command));
  }

  #finish(line: "over"): void {
    this.#release();
    this.#view = { ...this.#view, line, hold: null, listening: false, microphone: "off", pressed: false };
    this.#tell();
  }

  /** The line goes, and nobody is told. */
  #end(): void {
    this.#release();
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }

  #release(): void {
    this.#generation++;
    window.clearTimeout(this.#retryTimer);
    window.clearTimeout(this.#tailTimer);
    this.#retryMs = RECONNECT_MS_MIN;
    this.#bargedIn = false;
    this.#opening = null;
    this.#waiting = null;
    void this.#line?.close();
    this.#line = null;
  }

  #dispatch(action: SuperviseAction): void {
    const next = superviseReducer(this.#view, action);
    if (next === this.#view) return;
    this.#view = next;
    this.#closeIfLeft();
    this.#tell();
  }

  #tell(): void {
    for (const subscriber of this.#subscribers) subscriber();
  }
}

function parse(text: string): SuperviseMessage | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && "type" in value ? (value as SuperviseMessage) : null;
  } catch {
    return null;
  }
}

export const supervision = new Supervision();
