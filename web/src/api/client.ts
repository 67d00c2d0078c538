import type { Agent, Call, CallDetail, Page } from "./types";

const REQUEST_MS_MAX = 10_000;
const RECORDING_MS_MAX = 60_000;

/** A request that did not work, in words for the person in front of the page. */
export class ApiError extends Error {
  /** HTTP status, or 0 when no answer came. */
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.name = "ApiError";
    this.status = status;
  }
}

async function request(path: string, wait_ms: number, signal?: AbortSignal): Promise<Response> {
  const deadline = AbortSignal.timeout(wait_ms);
  let response: Response;
  try {
    response = await fetch(path, { signal: signal ? AbortSignal.any([signal, deadline]) : deadline });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(0, "Frontdesk cannot be reached. Is it still running?");
  }
  if (!response.ok) throw new ApiError(response.status, await problemText(response));
  return response;
}

/** The `detail` or `title` of an RFC 9457 problem, or a plain sentence. */
async function problemText(response: Response): Promise<string> {
  try {
    const problem: unknown = await response.json();
    if (typeof problem === "object" && problem !== null) {
      if ("detail" in problem && typeof problem.detail === "string") return problem.detail;
      if ("title" in problem && typeof problem.title === "string") return problem.title;
    }
  } catch {
    // Not JSON: the status says it all.
  }
  return response.status === 404 ? "There is no such thing here." : `Frontdesk answered with error ${response.status}.`;
}

async function json<T>(path: string, signal?: AbortSignal): Promise<T> {
  const response = await request(path, REQUEST_MS_MAX, signal);
  return (await response.json()) as T;
}

export async function listAgents(signal?: AbortSignal): Promise<Agent[]> {
  return (await json<{ items: Agent[] }>("/api/v1/agents", signal)).items;
}

export function listCalls(limit: number, cursor: string | null, signal?: AbortSignal): Promise<Page<Call>> {
  const query = new URLSearchParams({ limit: String(limit) });
  if (cursor !== null) query.set("cursor", cursor);
  return json(`/api/v1/calls?${query}`, signal);
}

export function getCall(id: string, signal?: AbortSignal): Promise<CallDetail> {
  return json(`/api/v1/calls/${encodeURIComponent(id)}`, signal);
}

/** The recording as one WAV file: caller left, agent right. */
export async function getRecording(id: string, signal?: AbortSignal): Promise<Blob> {
  const response = await request(`/api/v1/calls/${encodeURIComponent(id)}/recording`, RECORDING_MS_MAX, signal);
  return response.blob();
}

export function mediaUrl(): string {
  const url = new URL("/carriers/browser/media", window.location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}
