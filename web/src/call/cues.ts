import { type Envelope, speechStartMs } from "../audio/recording";
import type { JournalLine } from "./journal";

/** Where in the recording each line begins, in milliseconds. Without a recording, when the journal noted it. */
export function lineCues(lines: JournalLine[], envelope: Envelope | null): number[] {
  const spokenUntil = { caller: 0, agent: 0 };
  return lines.map((line) => {
    const silent = line.kind === "caller" && line.typed;
    if (envelope === null || silent || (line.kind !== "caller" && line.kind !== "agent")) return line.at;
    const start = speechStartMs(envelope, line.kind, line.at, spokenUntil[line.kind]);
    spokenUntil[line.kind] = line.at;
    return start;
  });
}

/** The line that is being said at `now_ms`: the last one that has begun, or -1. */
export function currentLine(cues: number[], now_ms: number): number {
  let current = -1;
  let newest = Number.NEGATIVE_INFINITY;
  cues.forEach((cue, index) => {
    if (cue <= now_ms && cue >= newest) {
      current = index;
      newest = cue;
    }
  });
  return current;
}
