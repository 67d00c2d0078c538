const TIME = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const DAY = new Intl.DateTimeFormat(undefined, { weekday: "short", day: "numeric", month: "short" });
const FULL = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "short" });

/** `4:07`, or `1:02:09` from an hour on. */
export function clock(ms: number): string {
  const secs = Math.max(0, Math.floor(ms / 1000));
  const [hours, minutes, rest] = [Math.floor(secs / 3600), Math.floor((secs % 3600) / 60), secs % 60];
  const tail = `${String(rest).padStart(2, "0")}`;
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, "0")}:${tail}` : `${minutes}:${tail}`;
}

export function timeOfDay(unix_ms: number): string {
  return TIME.format(unix_ms);
}

export function fullDate(unix_ms: number): string {
  return FULL.format(unix_ms);
}

export function day(unix_ms: number, now_ms: number): string {
  const days = Math.round((startOfDay(now_ms) - startOfDay(unix_ms)) / 86_400_000);
  if (days === 0) return "Today";
  if (days === 1) return "Yesterday";
  return DAY.format(unix_ms);
}

function startOfDay(unix_ms: number): number {
  return new Date(unix_ms).setHours(0, 0, 0, 0);
}

/** Millionths of a dollar as `$0.0042`. */
export function dollars(usd_micros: number): string {
  const value = usd_micros / 1e6;
  return `$${value.toFixed(value !== 0 && Math.abs(value) < 0.1 ? 4 : 2)}`;
}
