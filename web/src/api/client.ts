import createClient from "openapi-fetch";
import createQueryHooks from "openapi-react-query";
import { refreshSession } from "../auth/session";
import { ApiError, problemOf, unreachable } from "./problem";
import type { paths } from "./schema.gen";

const REQUEST_MS_MAX = 10_000;
/** Recordings, exports and trials of tools take their time. */
const LONG_REQUEST_MS_MAX = 60_000;
const LONG = /\/(recording|test|documents|search|trace|export)$/;
/** They answer 401 about what was typed, not about a session that ended. */
const SIGNING_IN = /\/api\/v1\/auth\/(login|refresh|register|invitations\/accept|password\/reset)$/;

/** Every request of the pages goes through here: with a deadline, and once more after the session was renewed. */
async function send(request: Request): Promise<Response> {
  const path = new URL(request.url).pathname;
  const deadline = AbortSignal.timeout(LONG.test(path) ? LONG_REQUEST_MS_MAX : REQUEST_MS_MAX);
  const signal = AbortSignal.any([request.signal, deadline]);
  const again = request.clone();
  const response = await globalThis.fetch(request, { signal });
  if (response.status !== 401 || SIGNING_IN.test(path) || !(await refreshSession())) return response;
  return globalThis.fetch(again, { signal });
}

/** The API of `openapi.json`. Answers other than 2xx are thrown as `ApiError`. */
export const api = createClient<paths>({ baseUrl: globalThis.location?.origin ?? "http://localhost", fetch: send });

api.use({
  onRequest({ request }) {
    // A request that is sent again after a lost answer must not act twice.
    if (request.method === "POST" && !request.headers.has("idempotency-key")) {
      request.headers.set("idempotency-key", uniqueKey());
    }
    return request;
  },
  async onResponse({ response }) {
    if (!response.ok) throw await problemOf(response);
  },
  onError({ error, request }) {
    if (error instanceof ApiError || request.signal.aborted) return;
    return unreachable();
  },
});

/** `$api.useQuery("get", "/api/v1/calls", …)`: the same, with caches and hooks. */
export const $api = createQueryHooks(api);

/** `randomUUID` exists only on secure pages; a server on the local network may not be one. */
function uniqueKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** `If-Match` of a version, for changes that must not overwrite somebody else's. */
export function ifMatch(version: number): { "If-Match": string } {
  return { "If-Match": `"${version}"` };
}

export function mediaUrl(): string {
  return socketUrl("/carriers/browser/media");
}

/** The same line by WebRTC. */
export function webrtcUrl(): string {
  return new URL("/api/v1/webrtc/browser", window.location.href).href;
}

/** The line of a supervisor to a call (docs/supervision.md). */
export function superviseUrl(call: string): string {
  return socketUrl(`/api/v1/calls/${encodeURIComponent(call)}/supervise`);
}

function socketUrl(path: string): string {
  const url = new URL(path, window.location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}
