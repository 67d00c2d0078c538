import { t, wordsOf } from "../i18n";

/** A request that did not work. What it carries is shown to people, so that support can find it in the log. */
export class ApiError extends Error {
  /** HTTP status, or 0 when no answer came. */
  readonly status: number;
  /** Stable code of the problem (RFC 9457), such as `stale`; `unreachable` when no answer came. */
  readonly code: string;
  /** What went wrong, in one line, in the reader's language where it is known. */
  readonly title: string;
  /** Names the request in the server's log. */
  readonly requestId: string | null;
  /** Seconds after which another try makes sense. */
  readonly retryAfterSecs: number | null;

  constructor(status: number, code: string, title: string, detail: string | null, rest?: Partial<ProblemTrace>) {
    super(detail ?? title);
    this.name = "ApiError";
    this.status = status;
    this.code = code;
    this.title = title;
    this.requestId = rest?.requestId ?? null;
    this.retryAfterSecs = rest?.retryAfterSecs ?? null;
  }
}

interface ProblemTrace {
  requestId: string | null;
  retryAfterSecs: number | null;
}

export function unreachable(): ApiError {
  const words = t("problems.unreachable");
  return new ApiError(0, "unreachable", words, words);
}

/** The problem document of an answer, or what its status says. */
export async function problemOf(response: Response): Promise<ApiError> {
  const known = await response.json().catch(() => null);
  const field = (name: string): string | null => {
    const value: unknown = typeof known === "object" && known !== null ? Reflect.get(known, name) : null;
    return typeof value === "string" && value !== "" ? value : null;
  };
  const code = field("code") ?? `http_${response.status}`;
  const plain = response.status === 404 ? t("problems.not_found") : t("problems.status", { status: response.status });
  const title = wordsOf("problems", code) ?? field("title") ?? plain;
  const wait = Number(response.headers.get("retry-after"));
  return new ApiError(response.status, code, title, field("detail") ?? field("title") ?? plain, {
    requestId: field("request_id") ?? response.headers.get("x-request-id"),
    retryAfterSecs: Number.isFinite(wait) && wait > 0 ? wait : null,
  });
}

/** Any error as one of ours, so that every failure can be shown alike. */
export function asApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  const words = t("problems.unexpected");
  return new ApiError(0, "unexpected", words, error instanceof Error ? error.message : words);
}
