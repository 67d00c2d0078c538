import { AudioLine, audioSupported, type LineListener, type MicProblem, openMicrophone } from "./audio/line.js";
import { Emitter } from "./emitter.js";
import { FrontdeskError, type FrontdeskErrorCode } from "./errors.js";
import { CLOSED, type LiveEvent, type Phase, type ServerMessage } from "./protocol.js";
import { RtcLine } from "./rtc.js";
import { LineSocket, type SocketListener, webSocket } from "./socket.js";
import { type Message, Transcript } from "./transcript.js";
import { type VisitStorage, Visits, type WidgetSettings } from "./visit.js";

/** How a conversation is reached. */
export interface ConnectOptions {
  /** Address of the Frontdesk server, such as `https://desk.example`. */
  host: string;
  /** The widget's key, `fdw_…`. It is no secret. */
  key: string;
  /** Where the conversation is kept while the visitor goes from page to page. Default: `sessionStorage`; `null`: nowhere. */
  storage?: VisitStorage | null;
  /** Where the audio worklets are. Default: `/widget/audio.js` of the server. */
  audioUrl?: string;
}

/** Where the line stands. */
export type LineState =
  /** Nothing was said yet, or the conversation rests: the next message opens the line. */
  | "idle"
  | "connecting"
  | "open"
  /** The connection broke; it is being made again. */
  | "reconnecting"
  /** The conversation is over. The next message begins another one. */
  | "ended";

/** What can be listened to. */
export interface FrontdeskEvents {
  /** The messages have changed; the list is a new one each time. */
  messages: readonly Message[];
  /** The line's state has changed. */
  state: LineState;
  /** What the agent does has changed. */
  phase: Phase;
  /** What the visitor seems to be saying; empty when nothing. */
  partial: string;
  /** A person of the business has taken the conversation over (`true`), or the agent has it again. */
  handover: boolean;
  /** Speech instead of writing has begun (`true`) or ended. */
  talking: boolean;
  /** How loud both sides are, 0 to 1, some fifty times a second while talking. */
  levels: { visitor: number; agent: number };
  /** Something went wrong that nobody awaits. */
  error: FrontdeskError;
}

/** Pauses before each attempt to connect again. */
const RETRY_MS = [300, 1_000, 2_000, 4_000, 8_000, 15_000] as const;
/** After this many attempts in a row the line is given up; the next message tries again. */
const RETRIES_MAX = 12;
/** Attempts that the server turned down before the token is held to be void. */
const REFUSALS_MAX = 2;
/** After an interruption, how long audio of the cut-off answer is thrown away while the server's `clear` is on its way. */
const INTERRUPT_MS_MAX = 1_000;

/**
 * A visitor's conversation with an agent: written, spoken, or first one and then the other.
 *
 * ```ts
 * const desk = await Frontdesk.connect({ host: "https://desk.example", key: "fdw_…" });
 * desk.on("messages", (messages) => render(messages));
 * await desk.send("When are you open on Saturday?");
 * ```
 */
export class Frontdesk extends Emitter<FrontdeskEvents> {
  /** What the business has set: title, greeting, theme, what is offered. */
  readonly settings: WidgetSettings;
  readonly #visits: Visits;
  readonly #audioUrl: string;
  #transcript: Transcript;
  #socket: LineSocket | null = null;
  #audio: AudioLine | null = null;
  #state: LineState = "idle";
  #phase: Phase = "";
  #isHandedOver = false;
  #isTalking = false;
  #isMuted = false;
  #usesRtc = true;
  /** Whether this conversation has had a line already. */
  #wasOpen = false;
  /** After a break, until it is known what of what was typed has arrived. */
  #isCatchingUp = false;
  #retries = 0;
  #refusals = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #dropUntilMs = 0;
  #levels = { visitor: 0, agent: 0 };
  /** Tells one attempt apart from the next while something is awaited. */
  #attempt = 0;

  /**
   * Reads the widget's settings, and what was said before on another page of the same website. Opens no line yet: that
   * happens with the first {@link send} or {@link talk}.
   *
   * @throws {FrontdeskError} `not_found` for a key of no widget, `foreign_origin` or `network` on a website that is not on
   * the widget's list.
   */
  static async connect(options: ConnectOptions): Promise<Frontdesk> {
    const visits = new Visits(options.host, options.key, options.storage ?? defaultStorage(options));
    const settings = await visits.settings();
    const audioUrl = options.audioUrl ?? new URL("/widget/audio.js", options.host).href;
    const frontdesk = new Frontdesk(visits, settings, audioUrl);
    await frontdesk.#goOn();
    return frontdesk;
  }

  private constructor(visits: Visits, settings: WidgetSettings, audioUrl: string) {
    super();
    this.settings = settings;
    this.#visits = visits;
    this.#audioUrl = audioUrl;
    this.#transcript = new Transcript(settings.greeting);
  }

  /** What was said, oldest first; before anything was said, the greeting. */
  get messages(): readonly Message[] {
    return this.#transcript.messages;
  }

  /** Where the line stands. */
  get state(): LineState {
    return this.#state;
  }

  /** What the agent does. */
  get phase(): Phase {
    return this.#phase;
  }

  /** Whether a person of the business has the conversation. */
  get isHandedOver(): boolean {
    return this.#isHandedOver;
  }

  /** Whether the conversation is spoken now. */
  get isTalking(): boolean {
    return this.#isTalking;
  }

  /** Whether the microphone is muted. */
  get isMuted(): boolean {
    return this.#isMuted;
  }

  /** Whether something was said that another page of the website would go on with. */
  get isBegun(): boolean {
    return this.#visits.now !== null;
  }

  /**
   * Sends a typed message, and opens the line if it is not open. The message stands in {@link messages} at once, as
   * `pending` until the agent has it.
   *
   * @throws {FrontdeskError} when no conversation can begin.
   */
  async send(text: string): Promise<void> {
    const trimmed = text.trim();
    if (trimmed === "") return;
    if (!this.settings.chat && !this.#isTalking)
      throw new FrontdeskError("not_offered", "this widget takes no writing");
    this.#transcript.typed(trimmed);
    this.emit("messages", this.messages);
    if (this.#state === "open" && !this.#isCatchingUp && this.#socket?.send({ type: "text", text: trimmed })) return;
    if (this.#state === "idle" || this.#state === "ended") await this.#open();
  }

  /**
   * Begins to talk: asks for the microphone and opens the line for audio, in the same conversation. Call it from a click
   * or a key press, or the browser stays silent.
   *
   * @throws {FrontdeskError} `microphone_refused`, `microphone_missing`, `insecure`, `not_offered`, or when no conversation
   * can begin.
   */
  async talk(): Promise<void> {
    if (this.#isTalking) return;
    if (!this.settings.voice) throw new FrontdeskError("not_offered", "this widget takes no speech");
    if (!audioSupported()) throw new FrontdeskError("insecure", "this page cannot play and record audio");
    // Made within the click: later it would stay suspended.
    const context = new AudioContext({ latencyHint: "interactive" });
    const microphone = await openMicrophone();
    if (typeof microphone === "string") {
      await context.close();
      throw new FrontdeskError(MIC_CODES[microphone], `no microphone: ${microphone}`);
    }
    try {
      this.#audio = await AudioLine.open(context, microphone, this.#audioListener, [this.#audioUrl]);
    } catch {
      for (const track of microphone.getTracks()) track.stop();
      await context.close();
      throw new FrontdeskError("internal", "the audio worklets could not be loaded");
    }
    this.#setTalking(true);
    try {
      await this.#open();
    } catch (error) {
      this.#stopAudio();
      throw error;
    }
  }

  /** Ends talking and goes on in writing, where that is offered; else ends the conversation. */
  async stopTalking(): Promise<void> {
    if (!this.#isTalking) return;
    this.#stopAudio();
    if (this.settings.chat) await this.#open();
    else this.end();
  }

  /** Mutes the microphone, or opens it again. */
  setMuted(muted: boolean): void {
    this.#isMuted = muted;
    this.#audio?.mute(muted);
  }

  /** Makes the agent fall silent at once. */
  interrupt(): void {
    this.#audio?.clear();
    this.#dropUntilMs = performance.now() + INTERRUPT_MS_MAX;
    this.#socket?.send({ type: "interrupt" });
  }

  /** Presses a key of a telephone: `0`-`9`, `*`, `#`, `A`-`D`. */
  press(digit: string): void {
    this.#socket?.send({ type: "dtmf", digit });
  }

  /** Ends the conversation. The next message begins another one. */
  end(): void {
    this.#socket?.send({ type: "end" });
    this.#over();
  }

  /** Leaves without ending: the visitor goes to another page, which goes on with the conversation. */
  leave(): void {
    this.#attempt++;
    clearTimeout(this.#timer);
    this.#stopAudio();
    this.#socket?.drop();
    this.#socket = null;
    this.#setState("idle");
  }

  /** Goes on after {@link leave}: reads what was said meanwhile, and opens the line again. */
  async resume(): Promise<void> {
    if (this.#state !== "idle") return;
    await this.#goOn();
    this.emit("messages", this.messages);
  }

  /** What was said before, and the line that belongs to it. */
  async #goOn(): Promise<void> {
    if (this.#visits.now === null) return;
    const listed = await this.#visits.messages().catch(() => []);
    if (listed === null) {
      this.#visits.forget();
      return;
    }
    this.#transcript.restore(listed);
    if (listed.length > 0 && this.settings.chat) void this.#open().catch(() => {});
  }

  /** Opens the line, in the place of one that is open. */
  async #open(): Promise<void> {
    const attempt = ++this.#attempt;
    clearTimeout(this.#timer);
    if (this.#state === "ended") this.#setHandedOver(false);
    this.#setState(this.#retries > 0 ? "reconnecting" : "connecting");
    try {
      const visit = await this.#visits.begin();
      if (attempt !== this.#attempt) return;
      const rtc = await this.#rtcLine(visit.token);
      if (attempt !== this.#attempt) {
        rtc?.close();
        return;
      }
      this.#audio?.hear(rtc?.remote ?? null);
      const listener = this.#socketListener(this.#socket);
      const transport = rtc ?? webSocket(this.#visits.lineUrl, visit.token);
      this.#socket = new LineSocket(transport, !this.#isTalking, listener);
    } catch (error) {
      if (attempt !== this.#attempt) return;
      const known = error instanceof FrontdeskError ? error : new FrontdeskError("internal", String(error));
      if (known.code === "network" && this.#retries > 0) return this.#retry();
      this.#setState("idle");
      throw known;
    }
  }

  /** The better transport for speech, where it works; where it did not once, it is not waited for again. */
  async #rtcLine(token: string): Promise<RtcLine | null> {
    const microphone = this.#audio?.microphone ?? null;
    if (!this.#isTalking || microphone === null || !this.#usesRtc) return null;
    const line = await RtcLine.open(this.#visits.rtcUrl, { authorization: `Bearer ${token}` }, microphone);
    if (line === null) this.#usesRtc = false;
    return line;
  }

  /** The new line stands before the old one goes: to the server, nobody was away in between. */
  #socketListener(replaced: LineSocket | null): SocketListener {
    return {
      onOpen: () => {
        replaced?.drop();
        const isBack = this.#wasOpen;
        this.#wasOpen = true;
        this.#retries = 0;
        this.#refusals = 0;
        this.#setState("open");
        if (isBack) void this.#catchUp();
        else this.#sendPending();
      },
      onMessage: (message) => this.#onMessage(message),
      onAudio: (pcm) => {
        if (performance.now() >= this.#dropUntilMs) this.#audio?.play(pcm);
      },
      onClose: (code, wasOpen) => {
        replaced?.drop();
        this.#onClose(code, wasOpen);
      },
    };
  }

  /** What was written while the connection was away, and which of the visitor's words have arrived. */
  async #catchUp(): Promise<void> {
    this.#isCatchingUp = true;
    const listed = await this.#visits.messages().catch(() => null);
    this.#isCatchingUp = false;
    if (listed !== null) {
      this.#transcript.restore(listed);
      this.emit("messages", this.messages);
    }
    this.#sendPending();
  }

  #sendPending(): void {
    for (const { state, text } of this.messages) if (state === "pending") this.#socket?.send({ type: "text", text });
  }

  #onMessage(message: ServerMessage): void {
    switch (message.type) {
      case "mark":
        // Audio before it was thrown away, so it must not be reported as heard.
        if (performance.now() < this.#dropUntilMs) return;
        if (this.#audio !== null) this.#audio.mark(message.id);
        else this.#socket?.send({ type: "mark", id: message.id });
        return;
      case "clear":
        this.#dropUntilMs = 0;
        this.#audio?.clear();
        return;
      case "live":
        this.#onLive(message);
    }
  }

  #onLive(event: LiveEvent): void {
    switch (event.event) {
      case "phase":
        this.#phase = event.phase;
        this.emit("phase", event.phase);
        break;
      case "partial":
        this.emit("partial", event.text);
        break;
      case "caller_turn":
        this.emit("partial", "");
        break;
      case "agent_turn":
        // What was cut off is written down: audio from here on belongs to what follows.
        this.#dropUntilMs = 0;
        break;
      case "taken_over":
        this.#setHandedOver(true);
        break;
      case "handed_back":
        this.#setHandedOver(false);
        break;
    }
    if (this.#transcript.apply(event)) this.emit("messages", this.messages);
    if (event.event === "ended") this.#over();
  }

  #onClose(code: number, wasOpen: boolean): void {
    this.#socket = null;
    if (code === CLOSED.over) {
      this.#over();
      return;
    }
    if (code === CLOSED.conversationOver) {
      // It ended while nobody looked: what was typed since begins another one.
      this.#over({ keepsAudio: this.#isTalking });
      const goesOn = this.#isTalking || this.messages.some(({ state }) => state === "pending");
      if (goesOn) this.#open().catch((error: FrontdeskError) => this.#fail(error));
      return;
    }
    const refusal = REFUSALS.get(code);
    if (refusal !== undefined) {
      this.#fail(new FrontdeskError(...refusal));
      return;
    }
    if (!wasOpen && ++this.#refusals >= REFUSALS_MAX) this.#visits.forget();
    this.#retry();
  }

  #retry(): void {
    if (this.#retries >= RETRIES_MAX) {
      this.#fail(new FrontdeskError("network", "the server cannot be reached"));
      return;
    }
    const pause = RETRY_MS[Math.min(this.#retries, RETRY_MS.length - 1)] as number;
    this.#retries++;
    this.#setState("reconnecting");
    this.#timer = setTimeout(() => {
      this.#open().catch((error: FrontdeskError) => this.#fail(error));
    }, pause);
  }

  /** Gives the line up; the conversation may go on with the next message. */
  #fail(error: FrontdeskError): void {
    this.#retries = 0;
    this.#attempt++;
    clearTimeout(this.#timer);
    this.#stopAudio();
    this.#setState("idle");
    this.emit("error", error);
  }

  #over({ keepsAudio = false } = {}): void {
    this.#attempt++;
    clearTimeout(this.#timer);
    this.#retries = 0;
    this.#wasOpen = false;
    this.#visits.forget();
    this.#socket?.drop();
    this.#socket = null;
    if (!keepsAudio) this.#stopAudio();
    if (this.#transcript.settle()) this.emit("messages", this.messages);
    this.#phase = "";
    this.emit("phase", "");
    this.#setHandedOver(false);
    this.#setState("ended");
  }

  readonly #audioListener: LineListener = {
    onFrame: (pcm) => this.#socket?.sendAudio(pcm),
    onMark: (id) => {
      this.#socket?.send({ type: "mark", id });
    },
    onCallerLevel: (level) => {
      this.#levels = { ...this.#levels, visitor: level };
    },
    onAgent: (level) => {
      this.#levels = { ...this.#levels, agent: level };
      this.emit("levels", this.#levels);
    },
    onMicLost: () => this.emit("error", new FrontdeskError("microphone_missing", "the microphone went away")),
  };

  #stopAudio(): void {
    void this.#audio?.close();
    this.#audio = null;
    this.#isMuted = false;
    this.#dropUntilMs = 0;
    this.emit("partial", "");
    this.#setTalking(false);
  }

  #setState(state: LineState): void {
    if (state === this.#state) return;
    this.#state = state;
    this.emit("state", state);
  }

  #setHandedOver(isHandedOver: boolean): void {
    if (isHandedOver === this.#isHandedOver) return;
    this.#isHandedOver = isHandedOver;
    this.emit("handover", isHandedOver);
  }

  #setTalking(isTalking: boolean): void {
    if (isTalking === this.#isTalking) return;
    this.#isTalking = isTalking;
    this.emit("talking", isTalking);
  }
}

/** What the server says by closing the line. */
const REFUSALS = new Map<number, [FrontdeskErrorCode, string]>([
  [CLOSED.replaced, ["replaced", "another page has the conversation"]],
  [CLOSED.busy, ["busy", "all lines are taken"]],
  [CLOSED.tooMany, ["rate_limited", "too many messages at once"]],
  [CLOSED.notOffered, ["not_offered", "the widget does not offer this any more"]],
]);

const MIC_CODES: Record<MicProblem, FrontdeskErrorCode> = {
  refused: "microphone_refused",
  missing: "microphone_missing",
  in_use: "microphone_missing",
  insecure: "insecure",
  unknown: "microphone_missing",
};

/** Pages may forbid storage, and programs have none. */
function defaultStorage(options: ConnectOptions): VisitStorage | null {
  if (options.storage === null) return null;
  try {
    return globalThis.sessionStorage ?? null;
  } catch {
    return null;
  }
}
