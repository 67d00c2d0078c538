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

/** A person has the call until they hand it back, or for a word in between. */
export type HoldMode = "take_over" | "barge_in";
/** `absent`: their line was gone, and the call went back by itself. */
export type HandBack = "asked" | "absent";

/** What became of the wish to bring a person to a caller. */
export type QueueOutcome = "taken" | "call_back" | "abandoned" | "timed_out" | "withdrawn";
export type ConsultOutcome = "accepted" | "declined" | "busy" | "no_answer" | "machine" | "failed" | "withdrawn";

export type Entry =
  | { entry: "started"; direction: Direction }
  | { entry: "resumed"; incarnation: number }
  | { entry: "state"; state: CallState }
  | { entry: "caller_turn"; turn: number; text: string; cut?: boolean; typed?: boolean; sentiment?: number | null }
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
  | { entry: "consult_began"; to: string }
  | { entry: "consult_ended"; outcome: ConsultOutcome }
  | { entry: "queued"; reason: string; brief?: string }
  | { entry: "queue_position"; position: number }
  | { entry: "left_queue"; outcome: QueueOutcome; waited_ms: number }
  | { entry: "briefing" }
  | { entry: "brief_answered"; accepted: boolean }
  | { entry: "taken_over"; by?: string; mode?: HoldMode; with_line?: boolean }
  | { entry: "handed_back"; reason?: HandBack }
  | { entry: "recording_paused"; by?: string }
  | { entry: "recording_resumed"; by?: string }
  | { entry: "on_hold"; by?: string }
  | { entry: "off_hold"; by?: string }
  | { entry: "person_turn"; turn: number; text: string }
  | { entry: "whispered"; by?: string; text: string }
  | { entry: "fault"; stage: string; class: ErrorClass }
  | { entry: "routed"; stage: string; provider: string; reason: string }
  | { entry: "saving"; step: string; budget: string }
  | { entry: "outside_hours" }
  | { entry: "line_said"; facts: Record<string, string> }
  | { entry: "guarded"; turn: number; rule: "topic" | "phrase"; words: string }
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
  | { event: "caller_turn"; turn: number; text: string; sentiment?: number | null }
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
  | { event: "queued"; reason: string }
  | { event: "queue_position"; position: number }
  | { event: "left_queue"; outcome: QueueOutcome; waited_ms: number }
  | DeskEvent
  | { event: "ended"; reason: string };

/** What people at the desk do in a call; callers are not told. `by` is kind and id of a credential, such as `user:0199…`. */
export type DeskEvent =
  | { event: "taken_over"; by: string | null; mode: HoldMode }
  | { event: "handed_back"; by: string | null; reason: HandBack }
  | { event: "recording_paused"; by: string | null }
  | { event: "recording_resumed"; by: string | null }
  | { event: "on_hold"; by: string | null }
  | { event: "off_hold"; by: string | null }
  | { event: "whispered"; by: string | null; text: string }
  | { event: "person_turn"; by: string | null; text: string };

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

/** Who has a call, and whether it is on this socket that the caller hears them. */
export interface Held {
  holder: Schemas["CallHolder"] | null;
  heard: boolean;
}

/** From the socket of a supervisor, besides audio (docs/supervision.md). */
export type SuperviseMessage =
  | ({ type: "ready"; call: string; by: string; recorded?: boolean } & Partial<Held>)
  | ({ type: "holder" } & Held)
  | { type: "clear" }
  | ({ type: "live" } & LiveEvent)
  | { type: "refused"; command: string; detail: string };

export type SuperviseCommand = {
  type: "take_over" | "barge_in" | "hand_back" | "hold" | "unhold" | "pause_recording" | "resume_recording";
};
