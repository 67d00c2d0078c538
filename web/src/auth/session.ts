/** Until when the access cookie holds, in Unix milliseconds. No secret: the tokens are in cookies that no script can read. */
const KEY = "frontdesk.session_until_ms";
/** Renewed this long before it ends, so that no request has to wait for it. */
const EARLY_MS = 60_000;
const REFRESH_MS_MAX = 10_000;
const REFRESH_PATH = "/api/v1/auth/refresh";

let running: Promise<boolean> | null = null;
let timer = 0;

/** Called with each answer that opened or renewed a session. */
export function keepSession(expiresInSecs: number): void {
  const untilMs = Date.now() + expiresInSecs * 1000;
  write(String(untilMs));
  schedule(untilMs);
}

export function forgetSession(): void {
  globalThis.clearTimeout(timer);
  write(null);
}

/** Whether somebody signed in here, so that there is something to renew. */
export function hasSession(): boolean {
  return read() !== null;
}

/** At the start of the page: a session whose access cookie ran out is renewed before anything is asked for. */
export async function resumeSession(): Promise<void> {
  const untilMs = Number(read());
  if (!hasSession()) return;
  if (untilMs - Date.now() < EARLY_MS) await refreshSession();
  else schedule(untilMs);
}

/**
 * Exchanges the refresh cookie for the next pair; false when nobody is signed in any more. A refresh token that comes twice
 * ends its session, so tabs take turns, and whoever comes second finds that the work is done.
 */
export function refreshSession(): Promise<boolean> {
  if (!hasSession()) return Promise.resolve(false);
  const before = read();
  running ??= inTurn(() => (read() === before ? exchange() : Promise.resolve(hasSession()))).finally(() => {
    running = null;
  });
  return running;
}

function inTurn(work: () => Promise<boolean>): Promise<boolean> {
  // Locks exist on secure pages only; elsewhere a second tab at the same moment has to sign in again.
  return navigator.locks === undefined ? work() : navigator.locks.request("frontdesk.session", work);
}

/** Below the generated client, which comes here when it is told 401. */
async function exchange(): Promise<boolean> {
  let response: Response;
  try {
    response = await globalThis.fetch(REFRESH_PATH, { method: "POST", signal: AbortSignal.timeout(REFRESH_MS_MAX) });
  } catch {
    return false;
  }
  if (response.ok) {
    const { expires_in } = (await response.json()) as { expires_in: number };
    keepSession(expires_in);
    return true;
  }
  if (response.status === 401) forgetSession();
  return false;
}

function schedule(untilMs: number): void {
  globalThis.clearTimeout(timer);
  timer = window.setTimeout(() => void refreshSession(), Math.max(1_000, untilMs - Date.now() - EARLY_MS));
}

function read(): string | null {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return memory;
  }
}

let memory: string | null = null;

function write(value: string | null): void {
  memory = value;
  try {
    if (value === null) localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, value);
  } catch {
    // Storage is off: it lasts as long as the page.
  }
}
