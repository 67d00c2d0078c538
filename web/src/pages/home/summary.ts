import type { Call, JournalRecord } from "../../api/types";

/** What became of a day's calls. Shares are of answered calls that are over; null while there are none. */
export interface Summary {
  calls: number;
  answered: number;
  missed: number;
  /** Ended by the agent and the caller alone. */
  contained: number;
  transferred: number;
  over: number;
  talk_ms: number;
  cost_usd_micros: number;
}

/** How a call ends that went as it should: one of the two said good-bye. Anything else is a person's or a defect's end. */
const SETTLED = new Set(["hung_up", "agent"]);
const UNANSWERED = new Set(["busy", "no_answer", "failed", "canceled"]);

export function summarize(calls: readonly Call[]): Summary {
  const sum: Summary = {
    calls: calls.length,
    answered: 0,
    missed: 0,
    contained: 0,
    transferred: 0,
    over: 0,
    talk_ms: 0,
    cost_usd_micros: 0,
  };
  for (const call of calls) {
    sum.cost_usd_micros += call.cost_usd_micros;
    if (call.answered_at_ms == null) {
      if (call.ended_at_ms != null || UNANSWERED.has(call.state)) sum.missed++;
      continue;
    }
    sum.answered++;
    if (call.ended_at_ms == null) continue;
    sum.over++;
    sum.talk_ms += call.ended_at_ms - call.answered_at_ms;
    if (call.ended_reason === "transferred") sum.transferred++;
    if (call.state === "completed" && SETTLED.has(call.ended_reason ?? "")) sum.contained++;
  }
  return sum;
}

/** Calls that began in each hour from `from_ms` on, as many hours as fit until `to_ms`. */
export function byHour(calls: readonly Call[], from_ms: number, to_ms: number): number[] {
  const hours = new Array<number>(Math.max(1, Math.ceil((to_ms - from_ms) / 3_600_000))).fill(0);
  for (const { started_at_ms } of calls) {
    const hour = Math.floor((started_at_ms - from_ms) / 3_600_000);
    if (hour >= 0 && hour < hours.length) hours[hour] = (hours[hour] as number) + 1;
  }
  return hours;
}

/** What callers waited for each answer, from the end of their speech to its first sound. */
export function waits(journal: readonly JournalRecord[]): number[] {
  return journal.flatMap(({ entry }) =>
    entry.entry === "agent_turn" && entry.latency?.heard_ms != null ? [entry.latency.heard_ms] : [],
  );
}

/** The value that this share of the others does not exceed (nearest rank). */
export function percentile(values: readonly number[], share: number): number | null {
  if (values.length === 0) return null;
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? null;
}
