/** What went wrong, in one word that stays the same across versions. */
export type FrontdeskErrorCode =
  /** There is no widget of this key, or it is switched off. */
  | "not_found"
  /** The widget may not stand on this website. */
  | "foreign_origin"
  /** Nobody answers now. */
  | "unavailable"
  /** All lines are taken. */
  | "busy"
  /** Too many conversations or messages; wait. */
  | "rate_limited"
  /** The server cannot be reached. */
  | "network"
  /** The visitor refused the microphone. */
  | "microphone_refused"
  /** There is no microphone, or another program has it. */
  | "microphone_missing"
  /** Browsers give microphones to pages behind https alone. */
  | "insecure"
  /** What was asked for is switched off for this widget. */
  | "not_offered"
  /** Another page of the same visitor has the conversation now. */
  | "replaced"
  /** Anything else. */
  | "internal";

/** An error of this SDK. Tell errors apart by `code`; `message` is for people who develop. */
export class FrontdeskError extends Error {
  override readonly name = "FrontdeskError";

  constructor(
    /** What went wrong. */
    readonly code: FrontdeskErrorCode,
    message: string,
    /** Seconds after which trying again makes sense, where the server said so. */
    readonly retryAfterSecs: number | null = null,
  ) {
    super(message);
  }
}

/** The error that an answer of the server stands for. */
export async function errorOf(response: Response): Promise<FrontdeskError> {
  const problem: unknown = await response.json().catch(() => null);
  const field = (name: string): string | null => {
    if (typeof problem !== "object" || problem === null || !(name in problem)) return null;
    const value: unknown = Object.getOwnPropertyDescriptor(problem, name)?.value;
    return typeof value === "string" ? value : null;
  };
  const code = CODES.get(field("code") ?? "") ?? "internal";
  const retryAfter = Number(response.headers.get("retry-after"));
  const message = field("detail") ?? field("title") ?? `HTTP ${response.status}`;
  return new FrontdeskError(code, message, Number.isFinite(retryAfter) && retryAfter > 0 ? retryAfter : null);
}

const CODES = new Map<string, FrontdeskErrorCode>([
  ["not_found", "not_found"],
  ["foreign_origin", "foreign_origin"],
  ["unavailable", "unavailable"],
  ["timeout", "unavailable"],
  ["busy", "busy"],
  ["plan_limit", "busy"],
  ["rate_limited", "rate_limited"],
]);
