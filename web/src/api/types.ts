import type { components } from "./schema.gen";

/** What the document of the API leaves open: entries of a journal, and the messages of the browser's media socket. */

type Schemas = components["schemas"];
export type Agent = Schemas["AgentView"];
export type CallState = Schemas["CallStateView"];
export type Direction = Schemas["DirectionView"];
export type Call = Schemas["CallView"];

export type ErrorClass =
  | "auth"
  | "quota"
  | "rate_limited"
  | "invalid"
  | "refused"
  | "unavailable"
  | "timeout"
  | "protocol"
  | "cancelled"
  | "internal";

export interface Citation {
  document: string;
  section: string;
  quote: string;
}

/** All relative to the end of the caller's speech; what did not happen is null. */
export interface TurnLatency {
  endpoint_ms: number | null;
  transcript_ms: number | null;
  first_token_ms: number | null;
  first_audio_ms: number | null;
  heard_ms: number | null;
}

export type Entry =
  | { entry: "started"; direction: Direction }
  | { entry: "resumed"; incarnation: number }
  | { entry: "state"; state: CallState }
  | { entry: "caller_turn"; turn: number; text: string; cut?: boolean; typed?: boolean }
  | { entry: "dtmf"; digit: string }
  | {
      entry: "agent_turn";
      turn: number;
      utterance: number;
      heard: string;
      complete: boolean;
      citations?: Citation[];
      latency?: TurnLatency;
    }
  | { entry: "tool_refused"; id: number; name: string; reason: string }
  | { entry: "confirmation_asked"; id: number; name: string; args: unknown }
  | { entry: "confirmation_answered"; id: number; yes: boolean }
  | { entry: "tool_started"; id: number; name: string; args: unknown }
  | { entry: "tool_finished"; id: number; name: string; ok: boolean; result: string }
  | { entry: "slot_asked"; tool: string; args: Record<string, unknown>; slot: string }
  | { entry: "handoff_requested"; reason: string }
  | { entry: "taken_over" }
  | { entry: "handed_back" }
  | { entry: "fault"; stage: string; class: ErrorClass }
  | { entry: "routed"; stage: string; provider: string; reason: string }
  | { entry: "saving"; step: string; budget: string }
  | { entry: "ending"; reason: string }
  | { entry: "ended"; reason: string; state: CallState; duration: number };

export interface JournalRecord {
  seq: number;
  /** Milliseconds since the call began. */
  at: number;
  entry: Entry;
}

export type LiveKind =
  | { event: "state"; state: CallState }
  | { event: "phase"; phase: string }
  | { event: "caller_speaking"; speaking: boolean }
  | { event: "partial"; text: string }
  | { event: "caller_turn"; turn: number; text: string }
  | { event: "agent_saying"; turn: number; text: string }
  | {
      event: "agent_turn";
      turn: number;
      text: string;
      complete: boolean;
      citations: Citation[];
      latency: TurnLatency | null;
    }
  | { event: "tool"; name: string; status: string }
  | { event: "fault"; stage: string; class: ErrorClass }
  | { event: "routed"; stage: string; provider: string; reason: string }
  | { event: "saving"; step: string; budget: string }
  | { event: "ended"; reason: string };

export type LiveEvent = { at: number } & LiveKind;

/** Text messages of the media socket. Audio travels as binary messages: 16-bit little-endian mono at 16 kHz. */
export type ServerMessage = { type: "mark"; id: number } | { type: "clear" } | ({ type: "live" } & LiveEvent);

export type ClientMessage =
  | { type: "start"; agent: string }
  | { type: "text"; text: string }
  | { type: "mark"; id: number }
  /** `#` alone is no number: the agent falls silent, as with any key, and no turn follows. */
  | { type: "interrupt" }
  | { type: "end" };
