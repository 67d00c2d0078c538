import type { Entry, HandBack, Held, HoldMode, JournalRecord, LiveEvent } from "../api/types";
import type { MicProblem } from "../audio/line";
import { type CallView, callReducer, initialCall } from "../call/reducer";

/** The line to a call: `refused` will not open by trying again, `lost` is being tried again. */
export type LineState = "closed" | "connecting" | "open" | "lost" | "refused" | "over";
/** Why a line does not open: another node has the call, or so many are at it already, or the role does not allow it. */
export type Refusal = "elsewhere" | "too_many" | "forbidden";

export interface Hold {
  /** Kind and id of a credential; null when nobody noted it. */
  by: string | null;
  mode: HoldMode;
  /** Call time from which on. */
  at: number;
}

export type SuperviseNotice =
  /** This page's line was gone while its user had the call, and the agent took it back. */
  | { kind: "absent" }
  /** Somebody else took the call from this user. */
  | { kind: "taken"; by: string | null }
  | { kind: "refused"; command: string; detail: string };

export interface SuperviseView {
  call: string | null;
  line: LineState;
  refusal: Refusal | null;
  /** How the call's journal names this user. */
  me: string | null;
  hold: Hold | null;
  /** Names of those who had the call, by their credential. */
  names: Readonly<Record<string, string>>;
  /** There is a recording. */
  recorded: boolean;
  /** It leaves out what is heard. */
  recordingPaused: boolean;
  /** The caller is on hold. */
  onHold: boolean;
  /** Whether the caller hears this page when its user has the call; another page of theirs may be the one. */
  heard: boolean;
  notice: SuperviseNotice | null;
  /** What was and is being said. */
  talk: CallView;
  listening: boolean;
  microphone: "off" | "opening" | "on" | MicProblem;
  muted: boolean;
  /** The button to talk is held down. */
  pressed: boolean;
}

export type SuperviseAction =
  | { type: "opened"; call: string }
  | { type: "line"; line: LineState; refusal?: Refusal | undefined }
  | { type: "ready"; by: string; recorded: boolean; held: Partial<Held> }
  | { type: "holder"; held: Held }
  | { type: "journal"; records: readonly JournalRecord[] }
  | { type: "live"; event: LiveEvent }
  | { type: "refused"; command: string; detail: string }
  | { type: "notice_read" }
  | { type: "listening"; on: boolean }
  | { type: "microphone"; microphone: SuperviseView["microphone"] }
  | { type: "muted"; muted: boolean }
  | { type: "pressed"; pressed: boolean };

const talking: CallView = { ...initialCall, status: "live", connectedAtMs: 0 };

export const closedLine: SuperviseView = {
  call: null,
  line: "closed",
  refusal: null,
  me: null,
  hold: null,
  names: {},
  recorded: false,
  recordingPaused: false,
  onHold: false,
  heard: true,
  notice: null,
  talk: talking,
  listening: false,
  microphone: "off",
  muted: false,
  pressed: false,
};

export function superviseReducer(view: SuperviseView, action: SuperviseAction): SuperviseView {
  switch (action.type) {
    case "opened":
      return { ...closedLine, call: action.call, line: "connecting" };
    case "line":
      return { ...view, line: action.line, refusal: action.refusal ?? null };
    case "ready":
      return { ...holderOf(view, action.held), line: "open", refusal: null, me: action.by, recorded: action.recorded };
    case "holder":
      return holderOf(view, action.held);
    case "journal":
      return fromJournal(view, action.records);
    case "live":
      return onEvent(view, action.event);
    case "refused":
      return { ...view, notice: { kind: "refused", command: action.command, detail: action.detail } };
    case "notice_read":
      return { ...view, notice: null };
    case "listening":
      return { ...view, listening: action.on };
    case "microphone":
      return { ...view, microphone: action.microphone };
    case "muted":
      return { ...view, muted: action.muted };
    case "pressed":
      return { ...view, pressed: action.pressed };
  }
}

/** Who has the call is told by the call's own events; this adds their name, and where they are heard. */
function holderOf(view: SuperviseView, { holder, heard }: Partial<Held>): SuperviseView {
  const name = holder?.by != null && holder.name != null ? { [holder.by]: holder.name } : {};
  return { ...view, names: { ...view.names, ...name }, heard: holder == null || heard !== false };
}

/** Whether the user of this page has the call, and is heard on another one. */
export function isHeardElsewhere(view: SuperviseView): boolean {
  return isMine(view) && !view.heard;
}

/** Whether the user of this page has the call. */
export function isMine(view: SuperviseView): boolean {
  return view.hold !== null && view.hold.by !== null && view.hold.by === view.me;
}

/** What happened before the line stood. What came over the line meanwhile is applied after it; what is known already stays. */
function fromJournal(view: SuperviseView, records: readonly JournalRecord[]): SuperviseView {
  const fresh: SuperviseView = { ...view, hold: null, recordingPaused: false, onHold: false, talk: talking };
  const past = records.reduce((now, { at, entry }) => {
    const event = eventOf(entry, now.hold);
    return event === null ? now : onEvent(now, { at, ...event } as LiveEvent);
  }, fresh);
  // What happened long ago is told by the transcript, not as news.
  return { ...past, notice: view.notice };
}

function onEvent(view: SuperviseView, event: LiveEvent): SuperviseView {
  const now = { ...view, talk: callReducer(view.talk, { type: "live", event }) };
  switch (event.event) {
    case "taken_over": {
      const hold: Hold = { by: event.by, mode: event.mode, at: event.at };
      const taken = isMine(view) && event.by !== view.me;
      return { ...now, hold, notice: taken ? { kind: "taken", by: event.by } : view.notice };
    }
    case "handed_back": {
      const absent = isMine(view) && event.reason === "absent";
      return { ...now, hold: null, notice: absent ? { kind: "absent" } : view.notice };
    }
    case "recording_paused":
    case "recording_resumed":
      return { ...now, recordingPaused: event.event === "recording_paused" };
    case "on_hold":
    case "off_hold":
      return { ...now, onHold: event.event === "on_hold" };
    default:
      return now;
  }
}

/** What the live stream said when an entry was written; null for what it has no words for. */
function eventOf(entry: Entry, hold: Hold | null): object | null {
  switch (entry.entry) {
    case "caller_turn":
      return { event: "caller_turn", turn: entry.turn, text: entry.text };
    case "agent_turn": {
      const { turn, heard, complete, citations = [], latency = null } = entry;
      return { event: "agent_turn", turn, text: heard, complete, citations, latency };
    }
    case "tool_started":
      return { event: "tool", name: entry.name, status: "started" };
    case "tool_finished":
      return { event: "tool", name: entry.name, status: entry.ok ? "finished" : "failed" };
    case "tool_refused":
      return { event: "tool", name: entry.name, status: "refused" };
    case "fault":
      return { event: "fault", stage: entry.stage, class: entry.class };
    case "taken_over":
      return { event: "taken_over", by: entry.by ?? null, mode: entry.mode ?? ("take_over" satisfies HoldMode) };
    case "handed_back":
      return { event: "handed_back", by: hold?.by ?? null, reason: entry.reason ?? ("asked" satisfies HandBack) };
    case "recording_paused":
    case "recording_resumed":
    case "on_hold":
    case "off_hold":
      return { event: entry.entry, by: entry.by ?? null };
    case "whispered":
      return { event: "whispered", by: entry.by ?? null, text: entry.text };
    case "person_turn":
      return { event: "person_turn", by: hold?.by ?? null, text: entry.text };
    default:
      return null;
  }
}
