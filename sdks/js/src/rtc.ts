/** From the offer to an open channel; whoever has not got through by then uses the WebSocket. */
const CONNECT_MS_MAX = 2_000;
/** A connection that broke is waited for this long: networks change, and addresses with them. */
const BROKEN_MS_MAX = 5_000;
const DELAY_EVERY_MS = 1_000;
/** From the jitter buffer to the ear. */
const LOUDSPEAKER_MS = 30;
/** A WebSocket's own code for a connection that went away without a word. */
const GONE = 1006;
/** `WebSocket.OPEN` and `WebSocket.CLOSED`, for what stands in for one. */
const OPEN = 1;
const CLOSED = 3;

/** What comes by a transport: text, or audio. */
export interface LineMessage {
  data: string | ArrayBuffer;
}

/** How a transport ended, in the codes of WebSockets. */
export interface LineClose {
  code: number;
  reason: string;
}

/** What a line needs of its transport, with {@link LineMessage} and {@link LineClose} as events. A WebSocket has it. */
export interface LineTransport {
  readonly readyState: number;
  readonly bufferedAmount: number;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  send(data: string | ArrayBuffer): void;
  close(): void;
}

/** How the audio goes at this moment. */
export interface LineRoute {
  /** It is interrupted; the line waits a few seconds for the network to come back. */
  broken: boolean;
  /** It goes through a relay (TURN) instead of straight to the server. */
  relayed: boolean;
  /** There and back; `null` as long as nothing was measured. */
  roundTripMs: number | null;
  /** Share of the server's packets that did not arrive, 0 to 1, since the line was opened. */
  lost: number;
}

interface Stat {
  type: string;
  nominated?: boolean;
  state?: string;
  localCandidateId?: string;
  candidateType?: string;
  currentRoundTripTime?: number;
  packetsLost?: number;
  packetsReceived?: number;
}

interface Options {
  enabled: boolean;
  ice_servers: RTCIceServer[];
}

/**
 * A line by WebRTC: the messages go through a data channel, the audio as a track. The server keeps what waits to be heard, so
 * there is nothing to clear here and no mark to answer.
 */
export class RtcLine implements LineTransport {
  onopen: LineTransport["onopen"] = null;
  onmessage: LineTransport["onmessage"] = null;
  onclose: LineTransport["onclose"] = null;
  /** What the other side says. */
  readonly remote: MediaStream;
  readonly #connection: RTCPeerConnection;
  readonly #channel: RTCDataChannel;
  readonly #leave: () => void;
  readonly #delayTimer: ReturnType<typeof setInterval>;
  #brokenTimer: ReturnType<typeof setTimeout> | undefined;
  #state = OPEN;
  #emitted = { delay: 0, count: 0 };

  /**
   * Connects; `null` when that is switched off or does not work from here. `url` takes the offer, `headers` say who makes it.
   */
  static async open(url: string, headers: Record<string, string>, microphone: MediaStream): Promise<RtcLine | null> {
    const [track] = microphone.getAudioTracks();
    if (track === undefined || typeof RTCPeerConnection === "undefined") return null;
    const init: RequestInit = { headers, credentials: "same-origin" };
    let connection: RTCPeerConnection | null = null;
    let leave = (): void => {};
    const deadline = AbortSignal.timeout(CONNECT_MS_MAX);
    try {
      const asked = await fetch(url, { ...init, signal: deadline });
      const options = (asked.ok ? await asked.json() : null) as Options | null;
      if (options?.enabled !== true) return null;
      connection = new RTCPeerConnection({ iceServers: options.ice_servers, bundlePolicy: "max-bundle" });
      const { receiver } = connection.addTransceiver(track, { direction: "sendrecv", streams: [microphone] });
      const channel = connection.createDataChannel("line");
      await connection.setLocalDescription();
      // Addresses found later need not be told: the server waits to be found, at the address in its answer.
      const response = await fetch(url, {
        ...init,
        method: "POST",
        headers: { ...headers, "content-type": "application/sdp" },
        body: connection.localDescription?.sdp ?? "",
        signal: deadline,
      });
      if (response.status !== 201) throw new Error(`offer: ${response.status}`);
      const session = new URL(response.headers.get("location") ?? "", url).href;
      leave = () => void fetch(session, { ...init, method: "DELETE", keepalive: true }).catch(() => {});
      await connection.setRemoteDescription({ type: "answer", sdp: await response.text() });
      await opened(channel, deadline);
      return new RtcLine(connection, channel, new MediaStream([receiver.track]), leave);
    } catch {
      connection?.close();
      leave();
      return null;
    }
  }

  private constructor(connection: RTCPeerConnection, channel: RTCDataChannel, remote: MediaStream, leave: () => void) {
    this.#connection = connection;
    this.#channel = channel;
    this.remote = remote;
    this.#leave = leave;
    channel.onmessage = ({ data }: MessageEvent<unknown>) => {
      if (typeof data === "string") this.#onText(data);
    };
    channel.onclose = () => this.#end(GONE, "");
    connection.onconnectionstatechange = () => this.#onState();
    this.#delayTimer = setInterval(() => void this.#tellDelay(), DELAY_EVERY_MS);
  }

  get readyState(): number {
    return this.#state;
  }

  get bufferedAmount(): number {
    return this.#channel.bufferedAmount;
  }

  /** Sends a message. Audio goes its own way. */
  send(data: string | ArrayBuffer): void {
    if (typeof data === "string" && this.#channel.readyState === "open") this.#channel.send(data);
  }

  /** Goes away. As with a WebSocket, `onclose` follows. */
  close(): void {
    if (this.#state === CLOSED) return;
    this.#leave();
    this.#end(1000, "");
  }

  /** How the audio goes; `null` when the browser does not say, or the line is over. */
  async route(): Promise<LineRoute | null> {
    if (this.#state === CLOSED) return null;
    const stats = await this.#connection.getStats().catch(() => null);
    return stats === null ? null : routeOf(stats as unknown as Map<string, Stat>, this.#connection.connectionState);
  }

  #onText(data: string): void {
    const closed = closedBy(data);
    if (closed !== null) this.#end(closed.code, closed.reason);
    else this.onmessage?.({ data } satisfies LineMessage as never);
  }

  #onState(): void {
    clearTimeout(this.#brokenTimer);
    const { connectionState } = this.#connection;
    if (connectionState === "failed" || connectionState === "closed") this.#end(GONE, "");
    else if (connectionState === "disconnected") {
      this.#brokenTimer = setTimeout(() => {
        this.#leave();
        this.#end(GONE, "");
      }, BROKEN_MS_MAX);
    }
  }

  /** How long audio waits in this browser before it is heard: the server answers marks by it. */
  async #tellDelay(): Promise<void> {
    const stats = await this.#connection.getStats().catch(() => null);
    stats?.forEach((report: { type: string; jitterBufferDelay?: number; jitterBufferEmittedCount?: number }) => {
      if (report.type !== "inbound-rtp") return;
      const delay = report.jitterBufferDelay ?? 0;
      const count = report.jitterBufferEmittedCount ?? 0;
      const since = { delay: delay - this.#emitted.delay, count: count - this.#emitted.count };
      this.#emitted = { delay, count };
      if (since.count > 0 && this.#state === OPEN) {
        const ms = Math.round((since.delay / since.count) * 1_000) + LOUDSPEAKER_MS;
        this.send(JSON.stringify({ type: "playout", ms }));
      }
    });
  }

  #end(code: number, reason: string): void {
    if (this.#state === CLOSED) return;
    this.#state = CLOSED;
    clearInterval(this.#delayTimer);
    clearTimeout(this.#brokenTimer);
    this.#channel.onclose = null;
    this.#channel.onmessage = null;
    this.#connection.onconnectionstatechange = null;
    this.#connection.close();
    queueMicrotask(() => this.onclose?.({ code, reason } satisfies LineClose as never));
  }
}

/** What a report of WebRTC statistics says of the way that the audio takes. */
export function routeOf(stats: ReadonlyMap<string, Stat>, state: string): LineRoute | null {
  const reports = [...stats.values()];
  const pair = reports.find((one) => one.type === "candidate-pair" && one.nominated && one.state === "succeeded");
  if (pair === undefined) return null;
  const heard = reports.find(({ type }) => type === "inbound-rtp");
  const lost = Math.max(0, heard?.packetsLost ?? 0);
  const all = lost + (heard?.packetsReceived ?? 0);
  return {
    broken: state === "disconnected",
    relayed: stats.get(pair.localCandidateId ?? "")?.candidateType === "relay",
    roundTripMs: pair.currentRoundTripTime === undefined ? null : Math.round(pair.currentRoundTripTime * 1_000),
    lost: all === 0 ? 0 : lost / all,
  };
}

function opened(channel: RTCDataChannel, deadline: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (channel.readyState === "open") resolve();
    channel.onopen = () => resolve();
    channel.onclose = () => reject(new Error("closed"));
    deadline.onabort = () => reject(new Error("not in time"));
  });
}

/** The server's last words, where a WebSocket would have a close frame. */
function closedBy(data: string): { code: number; reason: string } | null {
  if (!data.startsWith('{"type":"closed"')) return null;
  try {
    const { code, reason } = JSON.parse(data) as { code: unknown; reason: unknown };
    return typeof code === "number" ? { code, reason: String(reason) } : null;
  } catch {
    return null;
  }
}
