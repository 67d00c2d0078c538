import type { JournalRecord } from "../api/types";
import { t } from "../i18n";

/** How somebody sounds: from -1, displeased, to 1, pleased. */
export interface MoodPoint {
  /** Call time. */
  at: number;
  value: number;
}

export type Mood = "pleased" | "neutral" | "displeased";

/** Nearer to nothing than this is neither. */
const MARKED = 0.2;
/** What was said last counts most, and what is long past not at all. */
const TURNS = 3;

export function moodOf(value: number): Mood {
  if (value >= MARKED) return "pleased";
  return value <= -MARKED ? "displeased" : "neutral";
}

export function moodWords(value: number): string {
  return t(`mood.${moodOf(value)}`);
}

/** How the caller sounds now, by their last turns; null when none of them says anything about it. */
export function moodNow(turns: readonly { role: string; sentiment?: number | null }[]): number | null {
  const said = turns.flatMap(({ role, sentiment }) => (role === "customer" && sentiment != null ? [sentiment] : []));
  const last = said.slice(-TURNS);
  if (last.length === 0) return null;
  const weights = last.map((_, index) => index + 1);
  const sum = last.reduce((all, value, index) => all + value * (weights[index] ?? 1), 0);
  return sum / weights.reduce((all, one) => all + one, 0);
}

/** The turns of a caller that say something about how they sound. */
export function moodPoints(journal: readonly JournalRecord[]): MoodPoint[] {
  return journal.flatMap(({ at, entry }) =>
    entry.entry === "caller_turn" && entry.sentiment != null ? [{ at, value: entry.sentiment }] : [],
  );
}
