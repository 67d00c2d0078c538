import type { components } from "../../api/schema.gen";

export type CallState = components["schemas"]["CallStateView"];

export const CALL_STATES: CallState[] = [
  "initiated",
  "ringing",
  "answered",
  "active",
  "paused",
  "ending",
  "completed",
  "failed",
  "busy",
  "no_answer",
  "canceled",
];

/** What the list of calls is narrowed to; it is the address of the page, so that a view can be sent to somebody. */
export interface CallsSearch {
  q?: string;
  state?: CallState;
  agent?: string;
  agent_version?: number;
  direction?: "inbound" | "outbound";
  number?: string;
  customer?: string;
  /** Days of the viewer's zone, `2026-11-22`, both included. */
  from?: string;
  to?: string;
}

const DAY = /^\d{4}-\d{2}-\d{2}$/;

/** Keeps what is understood; an address with a mistake in it shows more calls, never an error. */
export function callsSearch(search: Record<string, unknown>): CallsSearch {
  const text = (name: string) => {
    const value = search[name];
    const plain = typeof value === "number" ? String(value) : value;
    return typeof plain === "string" && plain.trim() !== "" ? { [name]: plain } : {};
  };
  const day = (name: string) => (DAY.test(String(search[name] ?? "")) ? { [name]: String(search[name]) } : {});
  const { state, direction } = search;
  const version = Number(search.agent_version ?? 0);
  return {
    ...text("q"),
    ...text("agent"),
    ...(Number.isInteger(version) && version > 0 ? { agent_version: version } : {}),
    ...text("number"),
    ...text("customer"),
    ...day("from"),
    ...day("to"),
    ...(CALL_STATES.includes(state as CallState) ? { state: state as CallState } : {}),
    ...(direction === "inbound" || direction === "outbound" ? { direction } : {}),
  };
}
