import { refreshSession } from "../auth/session";
import { ApiError, problemOf, unreachable } from "./problem";

/** Long enough for 64 MiB over a slow line; what stands still for so long is over. */
const UPLOAD_MS_MAX = 600_000;

export interface UploadRequest {
  path: string;
  body: FormData;
  /** Bytes that left so far, of all that will. */
  onProgress: (sent: number, total: number) => void;
  signal: AbortSignal;
}

/**
 * Sends files. `fetch` cannot say how far a body is, so this is the one request that does not go through the generated
 * client; it keeps its promises: a deadline, a renewed session, problems as `ApiError`, and a key against acting twice.
 */
export async function upload<Answer>(request: UploadRequest): Promise<Answer> {
  const key = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0"));
  let response = await send(request, key.join(""));
  if (response.status === 401 && (await refreshSession())) response = await send(request, key.join(""));
  if (!response.ok) throw await problemOf(response);
  return (await response.json()) as Answer;
}

function send({ path, body, onProgress, signal }: UploadRequest, key: string): Promise<Response> {
  return new Promise((done, failed) => {
    const request = new XMLHttpRequest();
    request.open("POST", path);
    request.timeout = UPLOAD_MS_MAX;
    request.setRequestHeader("idempotency-key", key);
    const stop = () => request.abort();
    signal.addEventListener("abort", stop, { once: true });
    request.upload.onprogress = ({ loaded, total }) => onProgress(loaded, total);
    request.onload = () => done(answerOf(request));
    request.onerror = () => failed(unreachable());
    request.ontimeout = () => failed(unreachable());
    request.onabort = () => failed(new ApiError(0, "cancelled", "cancelled", null));
    request.onloadend = () => signal.removeEventListener("abort", stop);
    request.send(body);
  });
}

function answerOf(request: XMLHttpRequest): Response {
  const headers = new Headers();
  for (const name of ["content-type", "retry-after", "x-request-id"]) {
    const value = request.getResponseHeader(name);
    if (value !== null) headers.set(name, value);
  }
  return new Response(request.responseText, { status: request.status, headers });
}
