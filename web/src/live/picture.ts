import type { components } from "../api/schema.gen";
import type { HoldMode } from "../api/types";

type Schemas = components["schemas"];
/** Who has a call instead of its agent. */
export interface WallHold {
  /** Kind and id of a credential. */
  by: string | null;
  /** As people see it, where it is known. */
  name?: string;
  mode: HoldMode;
}
export type LiveCall = Omit<Schemas["LiveCall"], "holder"> & { hold?: WallHold };
export type LiveTurn = Schemas["Turn"];
export type Snapshot = Schemas["Snapshot"];
export type BusinessEvent = Schemas["Event"];

/** As many as a snapshot has of each call; the rule of docs/events.md depends on it. */
const TURNS_KEPT = 10;

/** The calls that are going on, as of the event `seq`. Never changed in place: what stays the same stays identical. */
export interface Picture {
  seq: number;
  calls: ReadonlyMap<string, LiveCall>;
}

export const EMPTY: Picture = { seq: 0, calls: new Map() };

export function pictureOf(snapshot: Snapshot): Picture {
  return { seq: snapshot.seq, calls: new Map(snapshot.calls.map((call) => [call.id, liveCall(call)])) };
}

function liveCall({ holder, ...call }: Schemas["LiveCall"]): LiveCall {
  if (holder == null) return call;
  const mode = holder.mode === "barge_in" ? "barge_in" : "take_over";
  return { ...call, hold: { by: holder.by ?? null, mode, ...(holder.name == null ? {} : { name: holder.name }) } };
}

/** A snapshot and all events after it make a fresh snapshot. Events that are in it already are passed over. */
export function take(picture: Picture, events: readonly BusinessEvent[]): Picture {
  const fresh = events.filter((event) => event.seq > picture.seq);
  if (fresh.length === 0) return picture;
  const calls = new Map(picture.calls);
  for (const event of fresh) apply(calls, event);
  return { seq: (fresh.at(-1) as BusinessEvent).seq, calls };
}

function apply(calls: Map<string, LiveCall>, event: BusinessEvent): void {
  switch (event.kind) {
    case "call.created":
    case "call.updated": {
      const facts = event.data as unknown as Schemas["CallFacts"];
      const known = calls.get(facts.id);
      const hold = known?.hold;
      const waiting = known?.waiting;
      calls.set(facts.id, {
        ...facts,
        turns: known?.turns ?? [],
        ...(hold === undefined ? {} : { hold }),
        ...(waiting == null ? {} : { waiting }),
      });
      break;
    }
    case "call.queued": {
      const { waiting } = event.data as unknown as { waiting: Schemas["Wait"] };
      const call = calls.get(event.subject);
      if (call !== undefined) calls.set(call.id, { ...call, waiting });
      break;
    }
    case "call.left_queue": {
      const call = calls.get(event.subject);
      if (call?.waiting == null) break;
      const { waiting: _, ...rest } = call;
      calls.set(call.id, rest);
      break;
    }
    case "call.taken_over": {
      const { by = null, mode } = event.data as unknown as { by?: string | null; mode: HoldMode };
      const call = calls.get(event.subject);
      if (call !== undefined) calls.set(call.id, { ...call, hold: { by, mode } });
      break;
    }
    case "call.handed_back": {
      const call = calls.get(event.subject);
      if (call?.hold === undefined) break;
      const { hold: _, ...free } = call;
      calls.set(call.id, free);
      break;
    }
    case "call.ended":
    case "call.deleted":
      calls.delete(event.subject);
      break;
    case "call.forgotten": {
      const call = calls.get(event.subject);
      if (call !== undefined) calls.set(call.id, { ...call, turns: [] });
      break;
    }
    case "transcript.turn": {
      const turn = event.data as unknown as LiveTurn;
      const call = calls.get(turn.call);
      if (call === undefined) break;
      const turns = [...call.turns.filter((known) => known.seq !== turn.seq), turn].sort((a, b) => a.seq - b.seq);
      calls.set(call.id, { ...call, turns: turns.slice(-TURNS_KEPT) });
      break;
    }
  }
}
