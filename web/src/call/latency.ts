import type { TurnLatency } from "../api/types";

export type StageName = "endpoint" | "transcript" | "first_token" | "first_audio" | "heard";

export interface Stage {
  name: StageName;
  /** Both relative to the end of the caller's speech. */
  from_ms: number;
  to_ms: number;
}

const STAGES: { name: StageName; field: keyof TurnLatency }[] = [
  { name: "endpoint", field: "endpoint_ms" },
  { name: "transcript", field: "transcript_ms" },
  { name: "first_token", field: "first_token_ms" },
  { name: "first_audio", field: "first_audio_ms" },
  { name: "heard", field: "heard_ms" },
];

/**
 * The stages of one turn as bars that do not overlap, in the order in which they ended: the transcript is often there
 * before the turn is taken as over.
 */
export function latencyStages(latency: TurnLatency): Stage[] {
  const known = STAGES.flatMap(({ name, field }) => {
    const to_ms = latency[field];
    return to_ms === null || to_ms === undefined ? [] : [{ name, to_ms }];
  });
  known.sort((a, b) => a.to_ms - b.to_ms);
  let from_ms = 0;
  return known.map((stage) => {
    const bar = { ...stage, from_ms };
    from_ms = stage.to_ms;
    return bar;
  });
}

/** What the caller had to wait: until they heard something, or as far as is known. */
export function totalMs(latency: TurnLatency): number | null {
  return latency.heard_ms ?? latencyStages(latency).at(-1)?.to_ms ?? null;
}

export function formatMs(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(2)} s`;
}

/** The value that this share of the others does not exceed (nearest rank). */
export function percentile(values: readonly number[], share: number): number | null {
  if (values.length === 0) return null;
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? null;
}
