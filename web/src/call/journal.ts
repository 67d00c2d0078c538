import type { Citation, Entry, JournalRecord, TurnLatency } from "../api/types";
import { t } from "../i18n";
import { faultWords, plainWords } from "./words";

/** A call's journal as lines to read: tools with their answers, faults as sentences, bookkeeping left out. */
export type JournalLine = { seq: number; at: number } & (
  | { kind: "caller"; text: string; typed: boolean; cut: boolean }
  | { kind: "agent"; text: string; complete: boolean; citations: Citation[]; latency: TurnLatency | null }
  | { kind: "person"; text: string }
  | { kind: "tool"; name: string; status: "running" | "done" | "failed"; args: unknown; result: string | null }
  | { kind: "note"; tone: "plain" | "warn"; text: string }
);

export function journalLines(records: JournalRecord[]): JournalLine[] {
  const lines: JournalLine[] = [];
  const toolLine = new Map<number, number>();
  for (const { seq, at, entry } of records) {
    if (entry.entry === "tool_finished" && toolLine.has(entry.id)) {
      const index = toolLine.get(entry.id) as number;
      const line = lines[index];
      if (line?.kind === "tool") {
        lines[index] = { ...line, status: entry.ok ? "done" : "failed", result: entry.result };
      }
      continue;
    }
    const line = lineOf(entry);
    if (line === null) continue;
    if (entry.entry === "tool_started") toolLine.set(entry.id, lines.length);
    lines.push({ seq, at, ...line });
  }
  return lines;
}

type Unplaced = JournalLine extends infer L ? (L extends JournalLine ? Omit<L, "seq" | "at"> : never) : never;

function lineOf(entry: Entry): Unplaced | null {
  switch (entry.entry) {
    case "caller_turn":
      return { kind: "caller", text: entry.text, typed: entry.typed ?? false, cut: entry.cut ?? false };
    case "agent_turn":
      return {
        kind: "agent",
        text: entry.heard,
        complete: entry.complete,
        citations: entry.citations ?? [],
        latency: entry.latency ?? null,
      };
    case "tool_started":
      return { kind: "tool", name: entry.name, status: "running", args: entry.args, result: null };
    case "tool_finished":
      return { kind: "tool", name: entry.name, status: entry.ok ? "done" : "failed", args: null, result: entry.result };
    case "tool_refused":
      return note(t("journal.refused", { name: plainWords(entry.name), reason: plainWords(entry.reason) }), "warn");
    case "confirmation_asked":
      return note(t("journal.confirm", { name: plainWords(entry.name) }));
    case "confirmation_answered":
      return note(t(entry.yes ? "journal.yes" : "journal.no"));
    case "dtmf":
      return note(t("journal.key", { digit: entry.digit }));
    case "slot_asked":
      return note(t("journal.slot", { slot: plainWords(entry.slot), tool: plainWords(entry.tool) }));
    case "handoff_requested":
      return note(t("journal.handoff", { reason: plainWords(entry.reason) }));
    case "consult_began":
      return note(t("journal.consult_began"));
    case "consult_ended":
      return note(t(`journal.consult_${entry.outcome}`));
    case "queued":
      return note(t("journal.queued", { reason: plainWords(entry.reason) }));
    case "queue_position":
      return note(t("journal.queue_position", { position: entry.position }));
    case "left_queue":
      return note(t(`journal.queue_${entry.outcome}`, { seconds: Math.round(entry.waited_ms / 1_000) }));
    case "briefing":
      return note(t("journal.briefing"));
    case "brief_answered":
      return note(t(entry.accepted ? "journal.brief_taken" : "journal.brief_left"));
    case "taken_over":
      return note(t(entry.mode === "barge_in" ? "supervise.past_barge_in" : "journal.taken_over"));
    case "handed_back":
      return note(t(entry.reason === "absent" ? "supervise.past_absent" : "journal.handed_back"));
    case "recording_paused":
    case "recording_resumed":
    case "on_hold":
    case "off_hold":
      return note(t(`supervise.past_${entry.entry}`));
    case "person_turn":
      return { kind: "person", text: entry.text };
    case "whispered":
      return note(t("supervise.past_whispered", { text: entry.text }));
    case "fault":
      return note(faultWords(entry.stage, entry.class), "warn");
    case "line_said":
      return note(
        t("journal.line_said", {
          facts: Object.entries(entry.facts)
            .map(([name, value]) => `${name}: ${value}`)
            .join(", "),
        }),
      );
    case "outside_hours":
      return note(t("journal.outside_hours"));
    case "guarded":
      return note(
        t(entry.rule === "topic" ? "journal.guarded_topic" : "journal.guarded_phrase", { words: entry.words }),
      );
    case "resumed":
      return note(t("journal.resumed"));
    case "ended":
      return note(t("journal.ended", { reason: plainWords(entry.reason) }));
    default:
      // Beginnings and carrier states say nothing to a reader; unknown entries come from newer servers.
      return null;
  }
}

function note(text: string, tone: "plain" | "warn" = "plain"): Unplaced {
  return { kind: "note", tone, text };
}
