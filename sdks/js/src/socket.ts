import { type ClientMessage, PROTOCOL, parseMessage, type ServerMessage, TOKEN_PREFIX } from "./protocol.js";
import type { LineClose, LineMessage, LineTransport } from "./rtc.js";

const OPEN = 1;
const CONNECT_MS_MAX = 8_000;
/** Whoever writes says nothing for minutes; the server would take a quiet line for a dead one. */
const ALIVE_MS = 5_000;
/** Two seconds of microphone that the network has not taken; what comes after is dropped, for it would come too late. */
const UNSENT_BYTES_MAX = 64_000;

/** What a socket tells its owner. */
export interface SocketListener {
  onOpen(): void;
  onMessage(message: ServerMessage): void;
  onAudio(pcm: ArrayBuffer): void;
  /** `wasOpen` is false when the server did not let it in, or could not be reached. */
  onClose(code: number, wasOpen: boolean): void;
}

/** The transport that always works. */
export function webSocket(url: string, token: string): WebSocket {
  const socket = new WebSocket(url, [PROTOCOL, `${TOKEN_PREFIX}${token}`]);
  socket.binaryType = "arraybuffer";
  return socket;
}

/** One connection of a line. */
export class LineSocket {
  readonly #socket: LineTransport;
  readonly #deadline: ReturnType<typeof setTimeout>;
  #alive: ReturnType<typeof setInterval> | undefined;
  #wasOpen = false;
  #isDropped = false;

  /** `socket` may still be connecting, or be open already. */
  constructor(socket: LineTransport, written: boolean, listener: SocketListener) {
    this.#socket = socket;
    this.#deadline = setTimeout(() => socket.close(), CONNECT_MS_MAX);
    const onOpen = () => {
      clearTimeout(this.#deadline);
      if (this.#isDropped) return;
      this.#wasOpen = true;
      this.send({ type: "start", written });
      this.#alive = setInterval(() => this.send({ type: "alive" }), ALIVE_MS);
      listener.onOpen();
    };
    socket.onopen = onOpen;
    socket.onmessage = ({ data }: LineMessage) => {
      if (this.#isDropped) return;
      if (typeof data !== "string") {
        listener.onAudio(data.byteLength % 2 === 0 ? data : data.slice(0, -1));
        return;
      }
      const message = parseMessage(data);
      if (message !== null) listener.onMessage(message);
    };
    socket.onclose = ({ code }: LineClose) => {
      this.#stopTimers();
      if (!this.#isDropped) listener.onClose(code, this.#wasOpen);
    };
    // Told when the owner knows this line.
    if (socket.readyState === OPEN) queueMicrotask(onOpen);
  }

  /** Sends a message; `false` when the connection does not stand. */
  send(message: ClientMessage): boolean {
    if (this.#socket.readyState !== OPEN) return false;
    this.#socket.send(JSON.stringify(message));
    return true;
  }

  /** Sends audio, unless the network has not taken what came before. */
  sendAudio(pcm: ArrayBuffer): void {
    if (this.#socket.readyState === OPEN && this.#socket.bufferedAmount <= UNSENT_BYTES_MAX) {
      this.#socket.send(pcm);
    }
  }

  /** Goes away without ending the conversation. The listener hears nothing more. */
  drop(): void {
    this.#isDropped = true;
    this.#stopTimers();
    this.#socket.close();
  }

  #stopTimers(): void {
    clearTimeout(this.#deadline);
    clearInterval(this.#alive);
  }
}
