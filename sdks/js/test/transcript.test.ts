import { describe, expect, test } from "vitest";
import type { LiveEvent } from "../src/protocol";
import { Transcript } from "../src/transcript";

function played(greeting: string, ...events: (LiveEvent | string)[]): Transcript {
  const transcript = new Transcript(greeting);
  for (const event of events) {
    if (typeof event === "string") transcript.typed(event);
    else transcript.apply(event);
  }
  return transcript;
}

const lines = (transcript: Transcript) =>
  transcript.messages.map(({ role, text, state }) => `${role} ${state}: ${text}`);
const saying = (turn: number, text: string): LiveEvent => ({ at: 0, event: "agent_saying", turn, text });
const said = (turn: number, text: string, complete = true): LiveEvent => ({
  at: 0,
  event: "agent_turn",
  turn,
  text,
  complete,
});
const visitor = (turn: number, text: string): LiveEvent => ({ at: 0, event: "caller_turn", turn, text });

describe("a transcript", () => {
  test("shows the greeting before anybody has said anything, and once", () => {
    const transcript = played("Hello!", saying(0, "Hello!"), said(0, "Hello!"));
    expect(lines(transcript)).toEqual(["agent done: Hello!"]);
  });

  test("keeps what was typed as pending until the agent has it, under the same place", () => {
    expect(lines(played("", "Open on Saturday?"))).toEqual(["visitor pending: Open on Saturday?"]);
    const taken = played("", "Open on Saturday?", visitor(1, "Open on Saturday?"), visitor(1, "Open on Saturday?"));
    expect(lines(taken)).toEqual(["visitor done: Open on Saturday?"]);
  });

  test("lets an answer grow and ends it with what was heard", () => {
    const events = [visitor(1, "And?"), saying(1, "From ten."), saying(1, "Until four.")];
    expect(lines(played("", ...events)).at(-1)).toBe("agent open: From ten. Until four.");
    expect(lines(played("", ...events, said(1, "From ten.", false))).at(-1)).toBe("agent cut: From ten.");
    expect(lines(played("", ...events, said(1, "", false)))).toHaveLength(1);
  });

  test("shows who answers when a person has taken over", () => {
    const transcript = played("", { at: 0, event: "person_turn", text: "Mira here." });
    expect(lines(transcript)).toEqual(["person done: Mira here."]);
  });

  test("is what the server has after a break, and loses nothing that waits", () => {
    const transcript = played("Hello!", "waiting");
    transcript.restore([
      { seq: 1, role: "agent", text: "Hello!", complete: true },
      { seq: 2, role: "customer", text: "Hi", complete: true },
      { seq: 3, role: "person", text: "Mira here.", complete: true },
    ]);
    expect(lines(transcript)).toEqual([
      "agent done: Hello!",
      "visitor done: Hi",
      "person done: Mira here.",
      "visitor pending: waiting",
    ]);
  });

  test("does not say twice what had arrived before a break", () => {
    const transcript = played("", visitor(1, "yes"), "yes", "no", "yes");
    const arrived = [1, 2, 3].map((seq) => ({
      seq,
      role: "customer" as const,
      text: seq === 3 ? "no" : "yes",
      complete: true,
    }));
    transcript.restore(arrived);
    expect(lines(transcript).at(-1)).toBe("visitor pending: yes");
    expect(lines(transcript)).toHaveLength(4);
  });

  test("ignores events that a newer server sends", () => {
    const transcript = played("");
    expect(transcript.apply({ at: 0, event: "from_the_future" } as unknown as LiveEvent)).toBe(false);
  });
});
