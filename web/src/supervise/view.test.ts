import { describe, expect, test } from "vitest";
import type { Entry, JournalRecord, LiveEvent } from "../api/types";
import {
  closedLine,
  isHeardElsewhere,
  isMine,
  type SuperviseAction,
  type SuperviseView,
  superviseReducer,
} from "./view";

const KIM = "user:kim";
const LEE = "user:lee";
const then = (view: SuperviseView, ...actions: SuperviseAction[]) => actions.reduce(superviseReducer, view);
const live = (event: object): SuperviseAction => ({ type: "live", event: event as LiveEvent });
const open = then(closedLine, { type: "opened", call: "one" }, { type: "ready", by: KIM, recorded: true, held: {} });
const taken = (by: string, at = 1_000) => live({ at, event: "taken_over", by, mode: "take_over" });
const back = (reason: string, at = 2_000) => live({ at, event: "handed_back", by: KIM, reason });
const records = (...entries: [number, Entry][]): JournalRecord[] =>
  entries.map(([at, entry], index) => ({ seq: index + 1, at, entry }));

describe("who has the call", () => {
  test("is the one who took it, until it is handed back", () => {
    const mine = then(open, taken(KIM));
    expect(isMine(mine)).toBe(true);
    expect(isMine(then(mine, back("asked")))).toBe(false);
    expect(isMine(then(open, taken(LEE)))).toBe(false);
  });

  test("may change hands, and who lost it is told", () => {
    const lost = then(open, taken(KIM), taken(LEE, 1_500));
    expect(isMine(lost)).toBe(false);
    expect(lost.notice).toEqual({ kind: "taken", by: LEE });
  });

  test("is the agent again when the line was gone, and that is said", () => {
    expect(then(open, taken(KIM), back("absent")).notice).toEqual({ kind: "absent" });
    expect(then(open, taken(LEE), back("absent")).notice).toBeNull();
  });

  test("is known of a call that somebody had before this page came", () => {
    const journal = records(
      [0, { entry: "started", direction: "inbound" }],
      [900, { entry: "taken_over", by: LEE, mode: "barge_in" }],
    );
    expect(then(open, { type: "journal", records: journal }).hold).toEqual({ by: LEE, mode: "barge_in", at: 900 });
  });
});

describe("what was said", () => {
  const journal = records(
    [500, { entry: "agent_turn", turn: 0, utterance: 1, heard: "Hello", complete: true }],
    [900, { entry: "caller_turn", turn: 1, text: "Saturday?" }],
    [950, { entry: "whispered", by: KIM, text: "Offer a check." }],
    [1_000, { entry: "taken_over", by: KIM, mode: "take_over", with_line: true }],
    [1_500, { entry: "person_turn", turn: 1, text: "This is Kim." }],
    [2_000, { entry: "handed_back", reason: "asked" }],
  );
  const kinds = (view: SuperviseView) =>
    view.talk.lines.map((line) => (line.kind === "desk" ? line.did.event : line.kind));

  test("before the line stood comes from the journal, in order, and is no news", () => {
    const view = then(open, { type: "journal", records: journal });
    expect(kinds(view)).toEqual(["agent", "caller", "whispered", "taken_over", "person_turn", "handed_back"]);
    expect(view.notice).toBeNull();
    const person = view.talk.lines.find((line) => line.kind === "desk" && line.did.event === "person_turn");
    expect(person).toMatchObject({ did: { by: KIM, text: "This is Kim." } });
  });

  test("is there once, when the journal and the line both tell it", () => {
    const view = then(
      open,
      { type: "journal", records: journal },
      live({ at: 900, event: "caller_turn", turn: 1, text: "Saturday?" }),
      live({ at: 1_500, event: "person_turn", by: KIM, text: "This is Kim." }),
      live({ at: 2_100, event: "person_turn", by: KIM, text: "This is Kim." }),
    );
    expect(kinds(view).filter((kind) => kind === "caller")).toHaveLength(1);
    expect(kinds(view).filter((kind) => kind === "person_turn")).toHaveLength(2);
  });

  test("is read anew when the line is back, so that nothing of the gap is missing", () => {
    const gap = then(open, live({ at: 400, event: "partial", text: "half a" }), { type: "line", line: "lost" });
    const again = then(
      gap,
      { type: "ready", by: KIM, recorded: true, held: {} },
      { type: "journal", records: journal },
    );
    expect(kinds(again)).toHaveLength(6);
    expect(again.line).toBe("open");
  });
});

test("a command that was not carried out says why, until it was read", () => {
  const view = then(open, { type: "refused", command: "take_over_call", detail: "the call is over" });
  expect(view.notice).toMatchObject({ kind: "refused", detail: "the call is over" });
  expect(then(view, { type: "notice_read" }).notice).toBeNull();
});

test("a second page of the same person is told that the caller hears the first one", () => {
  const holder = { by: KIM, user_id: "kim", name: "Kim", mode: "take_over" };
  const taken = live({ at: 100, event: "taken_over", by: KIM, mode: "take_over" });
  const second = then(open, taken, { type: "holder", held: { holder, heard: false } });
  expect(isHeardElsewhere(second)).toBe(true);
  expect(second.names[KIM]).toBe("Kim");
  expect(isHeardElsewhere(then(second, { type: "holder", held: { holder, heard: true } }))).toBe(false);
  const free = then(second, live({ at: 200, event: "handed_back", by: KIM, reason: "asked" }));
  expect(isHeardElsewhere(then(free, { type: "holder", held: { holder: null, heard: false } }))).toBe(false);
});
