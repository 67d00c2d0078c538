import type { JournalRecord, TurnLatency } from "../api/types";
import { latencyStages, type StageName, totalMs } from "./latency";

/** The caller's silence from which on it is a defect. */
export const SILENCE_MS = 1_000;

/** What happened while the caller waited, in the order in which it matters to whoever wants it faster. */
export type Cause =
  | { kind: "fault"; stage: string; class: string }
  | { kind: "tool"; name: string }
  | { kind: "stage"; stage: StageName; ms: number };

export interface TurnTiming {
  seq: number;
  /** When the answer was heard, in milliseconds since the call began. */
  at: number;
  latency: TurnLatency;
  total_ms: number;
  /** Said meanwhile, so that the caller did not wait in silence: “One moment, please.” */
  bridged: boolean;
  /** Providers that were chosen for this turn, by stage. */
  providers: Record<string, string>;
  /** Why it took longer than `SILENCE_MS`; empty when it did not. */
  causes: Cause[];
}

/** Every answer with what its caller waited for. The journal of a call knows it to the millisecond. */
export function turnTimings(journal: readonly JournalRecord[]): TurnTiming[] {
  const timings: TurnTiming[] = [];
  const providers: Record<string, string> = {};
  let faults: Cause[] = [];
  let tools: Cause[] = [];
  let bridged = false;
  for (const { seq, at, entry } of journal) {
    switch (entry.entry) {
      case "caller_turn":
        faults = [];
        tools = [];
        bridged = false;
        break;
      case "routed":
        providers[entry.stage] = entry.provider;
        break;
      case "fault":
        faults.push({ kind: "fault", stage: entry.stage, class: entry.class });
        break;
      case "tool_started":
        tools.push({ kind: "tool", name: entry.name });
        break;
      case "agent_turn": {
        const latency = entry.latency ?? null;
        const total_ms = latency === null ? null : totalMs(latency);
        if (latency === null || total_ms === null) {
          bridged ||= entry.heard !== "";
          break;
        }
        const causes = total_ms > SILENCE_MS ? [...unique(faults), ...tools, ...longest(latency)] : [];
        timings.push({ seq, at, latency, total_ms, bridged, providers: { ...providers }, causes });
        break;
      }
    }
  }
  return timings;
}

/** Two time-outs of the same stage are one cause. */
function unique(causes: readonly Cause[]): Cause[] {
  return [...new Map(causes.map((cause) => [JSON.stringify(cause), cause])).values()];
}

/** The stage that took most of the wait. */
function longest(latency: TurnLatency): Cause[] {
  const stages = latencyStages(latency).map(({ name, from_ms, to_ms }) => ({ name, ms: to_ms - from_ms }));
  const top = stages.toSorted((a, b) => b.ms - a.ms)[0];
  return top === undefined ? [] : [{ kind: "stage", stage: top.name, ms: top.ms }];
}
