import type { Citation, DeskEvent, ErrorClass, LiveEvent, TurnLatency } from "../api/types";

/**
 * What the page shows of a call, as a pure function of what happened. Live events are hints: they may come late, twice
 * or not at all, and newer servers may send kinds that this page does not know.
 */
export type CallStatus =
  | "idle"
  /** The browser asks for the microphone. */
  | "preparing"
  | "connecting"
  | "live"
  | "ending"
  | "ended";

export type Transport = "webrtc" | "websocket";

export interface CallerLine {
  kind: "caller";
  key: string;
  at: number;
  turn: number;
  text: string;
}

export interface AgentLine {
  kind: "agent";
  key: string;
  at: number;
  turn: number;
  /** While `open`, what the agent is about to say; afterwards what was heard, and nothing else. */
  text: string;
  open: boolean;
  complete: boolean;
  citations: Citation[];
  latency: TurnLatency | null;
}

export interface ToolLine {
  kind: "tool";
  key: string;
  at: number;
  name: string;
  status: string;
}

export interface FaultLine {
  kind: "fault";
  key: string;
  at: number;
  stage: string;
  class: ErrorClass;
}

/** What somebody at the desk did or said. */
export interface DeskLine {
  kind: "desk";
  key: string;
  at: number;
  did: DeskEvent;
}

export type Line = CallerLine | AgentLine | ToolLine | FaultLine | DeskLine;

export interface CallView {
  status: CallStatus;
  /** `listening`, `thinking`, `speaking`, …; empty before the first. */
  phase: string;
  lines: Line[];
  /** What the caller seems to be saying. */
  partial: string;
  /** What was typed and is not yet a turn. */
  typed: string;
  callerSpeaking: boolean;
  /** A newer turn makes late events of older ones meaningless. */
  newestTurn: number;
  /** Call time of the newest event. */
  at: number;
  /** One word from the server. */
  endedReason: string | null;
  /** A sentence for the person: what went wrong. */
  problem: string | null;
  /** A sentence for the person: what is different from usual, though the call goes on. */
  notice: string | null;
  muted: boolean;
  /** Unix milliseconds at which the line stood. */
  connectedAtMs: number | null;
  /** How long it stood, once it is over. */
  lastedMs: number | null;
  /** What the line goes by; null before it stands. */
  transport: Transport | null;
}

export type CallAction =
  | { type: "preparing" }
  | { type: "connecting" }
  | { type: "live"; event: LiveEvent }
  | { type: "connected"; nowMs: number; transport: Transport }
  | { type: "typed"; text: string }
  | { type: "muted"; muted: boolean }
  | { type: "notice"; text: string | null }
  | { type: "ending" }
  | { type: "closed"; problem: string | null; nowMs: number }
  | { type: "reset" };

/** The oldest lines leave the page first; the call's journal keeps them all. */
const LINES_MAX = 500;

export const initialCall: CallView = {
  status: "idle",
  phase: "",
  lines: [],
  partial: "",
  typed: "",
  callerSpeaking: false,
  newestTurn: -1,
  at: 0,
  endedReason: null,
  problem: null,
  notice: null,
  muted: false,
  connectedAtMs: null,
  lastedMs: null,
  transport: null,
};

export function callReducer(view: CallView, action: CallAction): CallView {
  switch (action.type) {
    case "preparing":
      return { ...initialCall, status: "preparing" };
    case "connecting":
      return { ...view, status: "connecting" };
    case "connected":
      return view.status === "connecting"
        ? { ...view, status: "live", connectedAtMs: action.nowMs, transport: action.transport }
        : view;
    case "live":
      return onLive(view, action.event);
    case "typed":
      return { ...view, typed: action.text };
    case "muted":
      return { ...view, muted: action.muted };
    case "notice":
      return { ...view, notice: action.text };
    case "ending":
      return view.status === "ended" ? view : { ...view, status: "ending", partial: "", callerSpeaking: false };
    case "closed":
      // Called off before the line stood: nothing to look back on.
      if (view.connectedAtMs === null && action.problem === null) return initialCall;
      return {
        ...settled(view),
        status: "ended",
        problem: action.problem,
        lastedMs: view.connectedAtMs === null ? null : action.nowMs - view.connectedAtMs,
      };
    case "reset":
      return initialCall;
  }
}

/** Nothing moves any more: nobody speaks, nothing is pending. */
function settled(view: CallView): CallView {
  const lines = view.lines
    .filter((line) => line.kind !== "agent" || !line.open || line.text !== "")
    .map((line) => (line.kind === "agent" && line.open ? { ...line, open: false, complete: false } : line));
  return { ...view, lines, phase: "", partial: "", typed: "", callerSpeaking: false };
}

function onLive(view: CallView, event: LiveEvent): CallView {
  if (view.status === "ended" || view.status === "idle" || view.endedReason !== null) return view;
  const late = event.at < view.at;
  const now = { ...view, at: Math.max(view.at, event.at) };
  switch (event.event) {
    case "phase":
      return late ? view : { ...now, phase: event.phase };
    case "caller_speaking":
      return late ? view : { ...now, callerSpeaking: event.speaking };
    case "partial":
      return late ? view : { ...now, partial: event.text };
    case "caller_turn":
      return onCallerTurn(now, event.at, event.turn, event.text);
    case "agent_saying":
      return onAgentSaying(now, event.at, event.turn, event.text);
    case "agent_turn":
      return onAgentTurn(now, event);
    case "tool":
      return onTool(now, event.at, event.name, event.status);
    case "fault":
      return append(now, { kind: "fault", key: "", at: event.at, stage: event.stage, class: event.class });
    case "taken_over":
    case "handed_back":
    case "recording_paused":
    case "recording_resumed":
    case "on_hold":
    case "off_hold":
    case "whispered":
    case "person_turn":
      return onDesk(now, event);
    case "ended":
      return { ...settled(now), endedReason: event.reason };
    default:
      // `state` tells nothing that the socket does not, and unknown kinds come from newer servers.
      return view;
  }
}

function onCallerTurn(view: CallView, at: number, turn: number, text: string): CallView {
  if (view.lines.some((line) => line.kind === "caller" && line.turn === turn)) return view;
  const line: CallerLine = { kind: "caller", key: "", at, turn, text };
  const next = append(view, line, (other) => other.kind === "agent" && other.turn >= turn);
  return { ...next, partial: "", typed: "", newestTurn: Math.max(view.newestTurn, turn) };
}

function onAgentSaying(view: CallView, at: number, turn: number, text: string): CallView {
  if (turn < view.newestTurn) return view;
  const now = { ...view, newestTurn: turn };
  const index = openAgentLine(now, turn);
  if (index < 0) {
    return append(now, {
      kind: "agent",
      key: "",
      at,
      turn,
      text,
      open: true,
      complete: false,
      citations: [],
      latency: null,
    });
  }
  return replace(now, index, (line) => ({ ...line, text: joined(line.text, text) }));
}

function onAgentTurn(view: CallView, event: Extract<LiveEvent, { event: "agent_turn" }>): CallView {
  const said = {
    text: event.text,
    open: false,
    complete: event.complete,
    citations: event.citations ?? [],
    latency: event.latency ?? null,
  };
  const index = openAgentLine(view, event.turn);
  if (index >= 0) return replace(view, index, (line) => ({ ...line, ...said }));
  const repeated = view.lines.some(
    (line) => line.kind === "agent" && !line.open && line.turn === event.turn && line.text === event.text,
  );
  if (repeated) return view;
  const line: AgentLine = { kind: "agent", key: "", at: event.at, turn: event.turn, ...said };
  // An answer that comes late belongs before what the caller said next.
  return append(view, line, (other) => other.kind === "caller" && other.turn > event.turn);
}

function onTool(view: CallView, at: number, name: string, status: string): CallView {
  const index = view.lines.findLastIndex(
    (line) => line.kind === "tool" && line.name === name && line.status === "started",
  );
  if (index >= 0 && status !== "started") {
    const lines = view.lines.map((line, i) => (i === index && line.kind === "tool" ? { ...line, status } : line));
    return { ...view, lines };
  }
  return append(view, { kind: "tool", key: "", at, name, status });
}

function onDesk(view: CallView, { at, ...did }: { at: number } & DeskEvent): CallView {
  const words = "text" in did ? did.text : "";
  const known = view.lines.some(
    (line) =>
      line.kind === "desk" &&
      line.at === at &&
      line.did.event === did.event &&
      ("text" in line.did ? line.did.text : "") === words,
  );
  return known ? view : append(view, { kind: "desk", key: "", at, did });
}

function openAgentLine(view: CallView, turn: number): number {
  return view.lines.findLastIndex((line) => line.kind === "agent" && line.open && line.turn === turn);
}

function replace(view: CallView, index: number, change: (line: AgentLine) => AgentLine): CallView {
  const lines = view.lines.map((line, i) => (i === index && line.kind === "agent" ? change(line) : line));
  return { ...view, lines };
}

/** Adds a line before the first that `comesAfter` names, which is nearly always the end. */
function append(view: CallView, line: Line, comesAfter?: (other: Line) => boolean): CallView {
  const keyed = { ...line, key: keyOf(view, line) };
  const before = comesAfter ? view.lines.findIndex(comesAfter) : -1;
  const lines = before < 0 ? [...view.lines, keyed] : view.lines.toSpliced(before, 0, keyed);
  return { ...view, lines: lines.slice(-LINES_MAX) };
}

function keyOf(view: CallView, line: Line): string {
  const name = "turn" in line ? `${line.kind}-${line.turn}` : `${line.kind}-${line.at}`;
  const same = view.lines.filter((other) => other.key.startsWith(`${name}.`)).length;
  return `${name}.${same}`;
}

function joined(a: string, b: string): string {
  return a === "" || a.endsWith(" ") || b.startsWith(" ") ? a + b : `${a} ${b}`;
}

/** Whether the agent has words on its tongue that the caller may cut off. */
export function agentIsSpeaking(view: CallView): boolean {
  return view.status === "live" && (view.phase === "speaking" || view.lines.some((l) => l.kind === "agent" && l.open));
}
