/**
 * The messages of the line: WebSocket, JSON as text, audio as binary (16-bit little-endian mono at 16 kHz). The server's
 * page about it is docs/specs/browser-audio.md.
 */

/** What the agent does: `listening`, `thinking`, `speaking`, `waiting_tool`, `ending`, and perhaps more some day. */
export type Phase = string;

/** What happens in the conversation. Servers may send kinds that this version does not know. */
export type LiveEvent = { at: number } & (
  | { event: "state"; state: string }
  | { event: "phase"; phase: Phase }
  | { event: "caller_speaking"; speaking: boolean }
  | { event: "partial"; text: string }
  | { event: "caller_turn"; turn: number; text: string }
  | { event: "agent_saying"; turn: number; text: string }
  | { event: "agent_turn"; turn: number; text: string; complete: boolean }
  | { event: "taken_over" }
  | { event: "handed_back" }
  | { event: "person_turn"; text: string }
  | { event: "ended"; reason: string }
);

/** From the server. */
export type ServerMessage = { type: "mark"; id: number } | { type: "clear" } | ({ type: "live" } & LiveEvent);

/** To the server. It ignores types that it does not know, `alive` among them, which says that the page is still there. */
export type ClientMessage =
  | { type: "start"; written: boolean }
  | { type: "text"; text: string }
  | { type: "mark"; id: number }
  | { type: "dtmf"; digit: string }
  | { type: "interrupt" }
  | { type: "alive" }
  | { type: "end" };

/** The protocol that both ends name, and what the visitor's token stands behind in the same header. */
export const PROTOCOL = "frontdesk.visit.v1";
export const TOKEN_PREFIX = "frontdesk.token.";

/** Close codes (RFC 6455, 7.4.1, and 4000 to 4999 as this protocol uses them). */
export const CLOSED = {
  over: 1000,
  busy: 1013,
  conversationOver: 4000,
  replaced: 4001,
  notOffered: 4003,
  tooMany: 4029,
} as const;

/** Reads a text message; `null` when it is none of the protocol. */
export function parseMessage(text: string): ServerMessage | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && "type" in value ? (value as ServerMessage) : null;
  } catch {
    return null;
  }
}
