import { errorOf, FrontdeskError } from "./errors.js";
import type { ListedMessage } from "./transcript.js";

const REQUEST_MS_MAX = 10_000;
/** A token that is about to expire begins nothing. */
const SPARE_MS = 60_000;

/** How a widget looks, as the business has set it. */
export interface WidgetTheme {
  readonly colour: string;
  readonly scheme: "auto" | "light" | "dark";
  readonly position: "right" | "left";
  readonly logo_url: string;
}

/** What a widget offers, as the business has set it. */
export interface WidgetSettings {
  readonly title: string;
  /** Whether somebody answers now. */
  readonly available: boolean;
  readonly voice: boolean;
  readonly chat: boolean;
  readonly greeting: string;
  /** What the visitor must agree to first; empty: nothing. */
  readonly consent: string;
  readonly privacy_url: string;
  readonly languages: readonly string[];
  readonly theme: WidgetTheme;
}

/** What opens one conversation. */
export interface Visit {
  readonly token: string;
  readonly call: string;
  readonly expiresAtMs: number;
}

/** Keeps a visit while the visitor goes from page to page: `sessionStorage`, or whatever has these three methods. */
export interface VisitStorage {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

/** The requests that a visitor's page makes. */
export class Visits {
  readonly #base: string;
  readonly #storage: VisitStorage | null;
  readonly #name: string;
  #now: Visit | null;

  constructor(host: string, key: string, storage: VisitStorage | null) {
    this.#base = new URL(`/api/v1/widget/${encodeURIComponent(key)}`, host).href;
    this.#storage = storage;
    this.#name = `frontdesk:${key}`;
    this.#now = this.#stored();
  }

  /** The conversation that goes on, if there is one. */
  get now(): Visit | null {
    if (this.#now !== null && this.#now.expiresAtMs < Date.now() + SPARE_MS) this.forget();
    return this.#now;
  }

  /** Where the line of a conversation is. */
  get lineUrl(): string {
    return `${this.#base.replace(/^http/, "ws")}/line`;
  }

  /** Where the line takes offers of WebRTC. */
  get rtcUrl(): string {
    return `${this.#base}/webrtc`;
  }

  async settings(): Promise<WidgetSettings> {
    return (await this.#ask("", { method: "GET" })) as WidgetSettings;
  }

  /** The conversation that goes on, or a new one. */
  async begin(): Promise<Visit> {
    const now = this.now;
    if (now !== null) return now;
    const made = (await this.#ask("/visits", { method: "POST" })) as {
      token: string;
      call: string;
      expires_in: number;
    };
    const visit = { token: made.token, call: made.call, expiresAtMs: Date.now() + made.expires_in * 1000 };
    this.#now = visit;
    try {
      this.#storage?.setItem(this.#name, JSON.stringify(visit));
    } catch {
      // Full, or forbidden: the conversation lasts as long as the page.
    }
    return visit;
  }

  /** What was said so far; `null` when the token opens nothing any more. */
  async messages(): Promise<ListedMessage[] | null> {
    const visit = this.now;
    if (visit === null) return null;
    const headers = { authorization: `Bearer ${visit.token}` };
    try {
      return ((await this.#ask("/messages", { method: "GET", headers })) as { items: ListedMessage[] }).items;
    } catch (error) {
      if (error instanceof FrontdeskError && error.code === "network") throw error;
      return null;
    }
  }

  /** The next conversation is another one. */
  forget(): void {
    this.#now = null;
    try {
      this.#storage?.removeItem(this.#name);
    } catch {
      // Then it was not kept either.
    }
  }

  #stored(): Visit | null {
    try {
      const value: unknown = JSON.parse(this.#storage?.getItem(this.#name) ?? "null");
      const known = value as Visit | null;
      const isWhole = typeof known?.token === "string" && typeof known.expiresAtMs === "number";
      return isWhole ? known : null;
    } catch {
      return null;
    }
  }

  async #ask(path: string, init: RequestInit): Promise<unknown> {
    let response: Response;
    try {
      response = await fetch(`${this.#base}${path}`, {
        ...init,
        credentials: "omit",
        signal: AbortSignal.timeout(REQUEST_MS_MAX),
      });
    } catch {
      // A page that the widget may not stand on is not told why: to it, that looks the same.
      throw new FrontdeskError("network", "the server cannot be reached from this page");
    }
    if (!response.ok) throw await errorOf(response);
    return response.json();
  }
}
