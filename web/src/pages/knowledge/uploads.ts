import { useSyncExternalStore } from "react";
import type { ApiError } from "../../api/problem";
import { asApiError } from "../../api/problem";
import type { components } from "../../api/schema.gen";
import { upload } from "../../api/upload";
import { jobAccepted } from "./jobs";

/** What the server takes of one file and of one request (docs/knowledge.md). */
export const FILE_BYTES_MAX = 50 * 1024 * 1024;
const REQUEST_BYTES_MAX = 60 * 1024 * 1024;
const REQUEST_FILES_MAX = 20;

/** Files on their way to the server, in one request. */
export interface Sending {
  id: number;
  files: File[];
  sent: number;
  bytes: number;
  state: "waiting" | "sending" | "failed";
  error: ApiError | null;
}

/** A file that need not be sent: what the server would say is known. */
export interface Refused {
  id: number;
  name: string;
  code: "too_large" | "empty";
}

interface Uploads {
  sending: readonly Sending[];
  refused: readonly Refused[];
}

let uploads: Uploads = { sending: [], refused: [] };
let lastId = 0;
let running: AbortController | null = null;
const subscribers = new Set<() => void>();

function put(next: Partial<Uploads>): void {
  uploads = { ...uploads, ...next };
  for (const subscriber of subscribers) subscriber();
}

function change(id: number, next: Partial<Sending>): void {
  put({ sending: uploads.sending.map((one) => (one.id === id ? { ...one, ...next } : one)) });
}

function drop(id: number): void {
  put({ sending: uploads.sending.filter((one) => one.id !== id) });
}

/** They go on while other pages are looked at, and are gone when the window is closed. */
export function useUploads(): Uploads {
  return useSyncExternalStore(
    (changed) => {
      subscribers.add(changed);
      return () => subscribers.delete(changed);
    },
    () => uploads,
  );
}

export function addFiles(files: readonly File[]): void {
  const good = files.filter(({ size }) => size > 0 && size <= FILE_BYTES_MAX);
  const refused = files
    .filter(({ size }) => size === 0 || size > FILE_BYTES_MAX)
    .map(({ name, size }) => ({ id: ++lastId, name, code: size === 0 ? ("empty" as const) : ("too_large" as const) }));
  const requests = inRequests(good).map((some) => ({
    id: ++lastId,
    files: some,
    sent: 0,
    bytes: some.reduce((sum, { size }) => sum + size, 0),
    state: "waiting" as const,
    error: null,
  }));
  put({ sending: [...uploads.sending, ...requests], refused: [...uploads.refused, ...refused] });
  void sendNext();
}

/** As few requests as the server's bounds allow, in the order of the files. */
export function inRequests<Sized extends { size: number }>(files: readonly Sized[]): Sized[][] {
  const requests: Sized[][] = [];
  let room = 0;
  for (const file of files) {
    const last = requests.at(-1);
    if (last === undefined || last.length >= REQUEST_FILES_MAX || file.size > room) {
      requests.push([file]);
      room = REQUEST_BYTES_MAX - file.size;
    } else {
      last.push(file);
      room -= file.size;
    }
  }
  return requests;
}

export function retry(id: number): void {
  change(id, { state: "waiting", sent: 0, error: null });
  void sendNext();
}

/** Also stops what is being sent. */
export function dismiss(id: number): void {
  if (uploads.sending.some((one) => one.id === id && one.state === "sending")) running?.abort();
  put({ refused: uploads.refused.filter((one) => one.id !== id) });
  drop(id);
}

/** One request at a time: the line is shared, and the first file is there sooner. */
async function sendNext(): Promise<void> {
  const next = uploads.sending.find(({ state }) => state === "waiting");
  if (running !== null || next === undefined) return;
  running = new AbortController();
  change(next.id, { state: "sending" });
  const body = new FormData();
  for (const file of next.files) body.append("file", file, file.name);
  window.addEventListener("beforeunload", hold);
  try {
    const job = await upload<components["schemas"]["KnowledgeJob"]>({
      path: "/api/v1/knowledge/documents",
      body,
      onProgress: (sent) => change(next.id, { sent }),
      signal: running.signal,
    });
    jobAccepted(job);
    drop(next.id);
  } catch (error) {
    change(next.id, { state: "failed", error: asApiError(error) });
  }
  window.removeEventListener("beforeunload", hold);
  running = null;
  void sendNext();
}

/** Closing the window would lose what is being sent. */
function hold(event: BeforeUnloadEvent): void {
  event.preventDefault();
}
