import { locale, t } from "../i18n";

/** One of each kind and language; making them is slow. */
const known = new Map<string, Intl.DateTimeFormat>();

function dates(name: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${locale()} ${name}`;
  let format = known.get(key);
  if (format === undefined) {
    format = new Intl.DateTimeFormat(locale(), options);
    known.set(key, format);
  }
  return format;
}

/** `4:07`, or `1:02:09` from an hour on. */
export function clock(ms: number): string {
  const secs = Math.max(0, Math.floor(ms / 1000));
  const [hours, minutes, rest] = [Math.floor(secs / 3600), Math.floor((secs % 3600) / 60), secs % 60];
  const tail = `${String(rest).padStart(2, "0")}`;
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, "0")}:${tail}` : `${minutes}:${tail}`;
}

/** All times are in the viewer's zone. */
export function timeOfDay(unix_ms: number): string {
  return dates("time", { hour: "2-digit", minute: "2-digit" }).format(unix_ms);
}

export function fullDate(unix_ms: number): string {
  return dates("full", { dateStyle: "full", timeStyle: "short" }).format(unix_ms);
}

/** `22 Nov, 14:05`. */
export function shortDate(unix_ms: number): string {
  return dates("short", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" }).format(unix_ms);
}

export function day(unix_ms: number, now_ms: number): string {
  const days = Math.round((startOfDay(now_ms) - startOfDay(unix_ms)) / 86_400_000);
  if (days === 0) return t("time.today");
  if (days === 1) return t("time.yesterday");
  return dates("day", { weekday: "short", day: "numeric", month: "short" }).format(unix_ms);
}

export function startOfDay(unix_ms: number): number {
  return new Date(unix_ms).setHours(0, 0, 0, 0);
}

/** Millionths of a dollar as `$0.0042`. */
export function dollars(usd_micros: number): string {
  const value = usd_micros / 1e6;
  const digits = value !== 0 && Math.abs(value) < 0.1 ? 4 : 2;
  return new Intl.NumberFormat(locale(), {
    style: "currency",
    currency: "USD",
    currencyDisplay: "narrowSymbol",
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
  }).format(value);
}

export function whole(value: number): string {
  return new Intl.NumberFormat(locale()).format(value);
}

/** A share of one as `83 %`. */
export function percent(share: number): string {
  return new Intl.NumberFormat(locale(), { style: "percent", maximumFractionDigits: 0 }).format(share);
}

/** Minutes and hours of talk, `1 h 12 min`. */
export function longTime(ms: number): string {
  const minutes = Math.round(ms / 60_000);
  const hours = Math.floor(minutes / 60);
  return hours > 0 ? t("time.hours_minutes", { hours, minutes: minutes % 60 }) : t("time.minutes", { minutes });
}
