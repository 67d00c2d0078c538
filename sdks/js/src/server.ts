/**
 * The REST API, typed by the server's OpenAPI document. For servers: an API key is a secret and has no place in a page.
 *
 * @packageDocumentation
 */
import createClient, { type Client } from "openapi-fetch";
import type { components, paths } from "./schema.gen.js";

export type { components, paths };

/** How the API is reached. */
export interface ApiOptions {
  /** Address of the Frontdesk server. */
  host: string;
  /** An API key (`fdk_…`), an access token, or the server's own token. */
  key: string;
  /** What sends requests; default: `fetch`. */
  fetch?: (request: Request) => Promise<Response>;
  /** How long a request may take; default: 30 s. */
  timeoutMs?: number;
}

/** An answer other than 2xx: a problem document (RFC 9457). Tell problems apart by `code`. */
export class ApiError extends Error {
  override readonly name = "ApiError";

  constructor(
    readonly status: number,
    /** Stable; docs/errors.md lists them. */
    readonly code: string,
    message: string,
    /** Names the request in the server's log. */
    readonly requestId: string | null,
    readonly retryAfterSecs: number | null,
  ) {
    super(message);
  }
}

/**
 * A client with one method for each of HTTP's, typed by path. Answers other than 2xx are thrown as {@link ApiError}, so
 * `data` is always there. A POST gets an `Idempotency-Key`, so that a repeat of it acts once.
 *
 * ```ts
 * const api = createApi({ host: "https://desk.example", key: process.env.FRONTDESK_KEY });
 * const { data } = await api.GET("/api/v1/calls", { params: { query: { limit: 10 } } });
 * ```
 */
export function createApi(options: ApiOptions): Client<paths> {
  const { host, key, timeoutMs = 30_000 } = options;
  const send = options.fetch ?? ((request: Request) => globalThis.fetch(request));
  const api = createClient<paths>({
    baseUrl: host.replace(/\/+$/, ""),
    headers: { authorization: `Bearer ${key}` },
    fetch: (request) =>
      send(new Request(request, { signal: AbortSignal.any([request.signal, AbortSignal.timeout(timeoutMs)]) })),
  });
  api.use({
    onRequest({ request }) {
      if (request.method === "POST" && !request.headers.has("idempotency-key")) {
        request.headers.set("idempotency-key", globalThis.crypto.randomUUID());
      }
      return request;
    },
    async onResponse({ response }) {
      if (!response.ok) throw await apiErrorOf(response);
    },
  });
  return api;
}

async function apiErrorOf(response: Response): Promise<ApiError> {
  const problem = (await response.json().catch(() => ({}))) as Partial<components["schemas"]["Problem"]>;
  const retryAfter = Number(response.headers.get("retry-after"));
  return new ApiError(
    response.status,
    problem.code ?? "unknown",
    problem.detail ?? problem.title ?? `HTTP ${response.status}`,
    response.headers.get("x-request-id"),
    Number.isFinite(retryAfter) && retryAfter > 0 ? retryAfter : null,
  );
}
