import type { QueryClient } from "@tanstack/react-query";
import { startTransition } from "react";
import { api } from "../api/client";
import { refreshSession } from "../auth/session";
import { type BusinessEvent, EMPTY, type Picture, pictureOf, take } from "./picture";

const RECONNECT_MS_MIN = 1_000;
const RECONNECT_MS_MAX = 15_000;
/** Lists are looked up again at most this often, however much happens. */
const LISTS_MS = 2_000;
/** Nobody reads faster; the first event after a pause is drawn at once. */
const DRAW_MS = 100;
/** A hidden page draws no frames, and is in no hurry. */
const HIDDEN_MS = 1_000;
/** After a key or a click its own picture comes first, and what happens elsewhere waits. */
const HANDS_MS = 150;
/** But no longer than this, for somebody who types on and on. */
const HELD_MS_MAX = 600;
const ALERTS_KEPT = 20;
/** More than this in one frame: the picture is taken anew instead. */
const PENDING_MAX = 5_000;

const HANDS = ["pointerdown", "pointerup", "keydown"] as const;

/** How long the picture still waits for the hands of whoever works on the page. */
export function drawAfterMs(now_ms: number, hands_at_ms: number, drawn_at_ms: number): number {
  return Math.max(0, Math.min(hands_at_ms + HANDS_MS, drawn_at_ms + HELD_MS_MAX) - now_ms);
}

export type StreamState = "connecting" | "open" | "lost";

/** One connection for the whole page: what happens in the business, drawn at most ten times a second. */
class LiveStream {
  picture: Picture = EMPTY;
  /** Whether a first snapshot is there. */
  ready = false;
  state: StreamState = "connecting";
  alerts: BusinessEvent[] = [];
  #subscribers = new Set<() => void>();
  #listeners = new Set<(event: BusinessEvent) => void>();
  #pending: BusinessEvent[] = [];
  #resyncing = false;
  #drawing = false;
  #drawnAt = 0;
  #handsAt = Number.NEGATIVE_INFINITY;
  #source: EventSource | null = null;
  #client: QueryClient | null = null;
  #retryMs = RECONNECT_MS_MIN;
  #retryTimer = 0;
  #listsTimer = 0;
  #running = 0;

  readonly subscribe = (subscriber: () => void): (() => void) => {
    this.#subscribers.add(subscriber);
    return () => this.#subscribers.delete(subscriber);
  };

  /** Every event as it comes, for what is not in the picture. */
  readonly listen = (listener: (event: BusinessEvent) => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Follows the business until the returned function is called. */
  start(client: QueryClient): () => void {
    const running = ++this.#running;
    this.#client = client;
    void this.#begin(running);
    for (const kind of HANDS) window.addEventListener(kind, this.#hands, { capture: true, passive: true });
    return () => {
      for (const kind of HANDS) window.removeEventListener(kind, this.#hands, { capture: true });
      if (this.#running !== running) return;
      this.#running++;
      window.clearTimeout(this.#retryTimer);
      this.#source?.close();
      this.#source = null;
      Object.assign(this, { picture: EMPTY, ready: false, state: "connecting", alerts: [] });
      this.#pending = [];
    };
  }

  async #begin(running: number): Promise<void> {
    try {
      const { data } = await api.GET("/api/v1/snapshot");
      if (running !== this.#running || data === undefined) return;
      this.picture = pictureOf(data);
      this.ready = true;
      this.#connect(running);
      this.#draw();
    } catch {
      if (running === this.#running) this.#retry(() => void this.#begin(running));
    }
  }

  #connect(running: number): void {
    const source = new EventSource(`/api/v1/events?after=${this.picture.seq}`);
    this.#source = source;
    // Events of the business come as messages; what the stream says of itself has a name.
    source.onmessage = (message: MessageEvent<string>) => this.#take(JSON.parse(message.data) as BusinessEvent);
    source.addEventListener("stream.resync", () => void this.#resync(running));
    source.onopen = () => {
      this.#retryMs = RECONNECT_MS_MIN;
      this.#become("open");
    };
    source.onerror = () => {
      if (running !== this.#running) return;
      this.#become("lost");
      // The browser comes back by itself unless the server refused: then the session may have ended.
      if (source.readyState !== EventSource.CLOSED) return;
      source.close();
      this.#retry(() => void refreshSession().finally(() => running === this.#running && this.#connect(running)));
    };
  }

  #retry(work: () => void): void {
    this.#become("lost");
    window.clearTimeout(this.#retryTimer);
    this.#retryTimer = window.setTimeout(work, this.#retryMs);
    this.#retryMs = Math.min(this.#retryMs * 2, RECONNECT_MS_MAX);
  }

  /** What was missed is kept no more: the picture is replaced, and events in it already are passed over. */
  async #resync(running: number): Promise<void> {
    if (this.#resyncing) return;
    this.#resyncing = true;
    try {
      const { data } = await api.GET("/api/v1/snapshot");
      if (running === this.#running && data !== undefined) this.picture = pictureOf(data);
    } catch {
      if (running === this.#running) this.#retry(() => void this.#resync(running));
    } finally {
      this.#resyncing = false;
      this.#schedule();
    }
  }

  #take(event: BusinessEvent): void {
    this.#pending.push(event);
    for (const listener of this.#listeners) listener(event);
    if (event.kind === "usage.alert" || event.kind === "webhook.disabled") {
      this.alerts = [event, ...this.alerts].slice(0, ALERTS_KEPT);
    }
    if (this.#pending.length > PENDING_MAX) {
      this.#pending = [];
      void this.#resync(this.#running);
    }
    this.#schedule();
  }

  #schedule(): void {
    if (this.#drawing || this.#resyncing) return;
    this.#drawing = true;
    const flush = () => {
      this.#drawing = false;
      this.#flush();
    };
    const wait_ms = document.hidden ? HIDDEN_MS : Math.max(0, this.#drawnAt + DRAW_MS - performance.now());
    const due = () => {
      const held_ms = drawAfterMs(performance.now(), this.#handsAt, this.#drawnAt);
      if (held_ms > 0) window.setTimeout(due, held_ms);
      else if (document.hidden) flush();
      else requestAnimationFrame(flush);
    };
    if (wait_ms > 0) window.setTimeout(due, wait_ms);
    else due();
  }

  readonly #hands = (): void => {
    this.#handsAt = performance.now();
  };

  #flush(): void {
    const events = this.#pending;
    this.#pending = [];
    this.#drawnAt = performance.now();
    this.picture = take(this.picture, events);
    this.#refreshQueries(events);
    this.#draw();
  }

  /** What the queries hold of a call that changed is looked up again; lists in the background, now and then. */
  #refreshQueries(events: readonly BusinessEvent[]): void {
    const client = this.#client;
    if (client === null || events.length === 0) return;
    const changed = new Set(events.filter((event) => event.kind !== "transcript.turn").map((event) => event.subject));
    if (changed.size > 0) {
      void client.invalidateQueries({
        predicate: ({ queryKey: [, path, init] }) =>
          path === "/api/v1/calls/{id}" && changed.has((init as { params: { path: { id: string } } }).params.path.id),
      });
    }
    if (changed.size === 0 || this.#listsTimer !== 0) return;
    this.#listsTimer = window.setTimeout(() => {
      this.#listsTimer = 0;
      for (const path of [
        "/api/v1/calls",
        "/api/v1/overview",
        "/api/v1/usage",
        "/api/v1/usage/{month}",
        "/api/v1/costs",
      ]) {
        void client.invalidateQueries({ queryKey: ["get", path] });
      }
    }, LISTS_MS);
  }

  #become(state: StreamState): void {
    if (this.state === state) return;
    this.state = state;
    this.#draw();
  }

  /** In a transition: a key or a click in the midst of it is answered first. */
  #draw(): void {
    startTransition(() => {
      for (const subscriber of this.#subscribers) subscriber();
    });
  }
}

export const live = new LiveStream();
