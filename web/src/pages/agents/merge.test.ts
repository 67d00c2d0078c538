import { describe, expect, it } from "vitest";
import { choiceText, withChoices } from "./draft";
import { applyPatch, differences, mergePatch, shown } from "./merge";

const before = {
  name: "Robin",
  voice: "ada",
  lines: { greeting: "Hello.", goodbye: "Bye." },
  providers: { tts: ["acme"], prefer: "order" },
};

describe("a change of an agent", () => {
  it("sends only what was changed", () => {
    const after = { ...before, lines: { ...before.lines, greeting: "Good day." } };
    expect(mergePatch(before, after)).toEqual({ lines: { greeting: "Good day." } });
    expect(mergePatch(before, before)).toEqual({});
  });

  it("takes away what was removed", () => {
    const { tts: _, ...providers } = before.providers;
    expect(mergePatch(before, { ...before, voice: null, providers })).toEqual({
      voice: null,
      providers: { tts: null },
    });
  });

  it("is put on top of what somebody else changed meanwhile", () => {
    const mine = mergePatch(before, { ...before, name: "Mira", lines: { ...before.lines, greeting: "Good day." } });
    const theirs = { ...before, lines: { greeting: "Hi.", goodbye: "See you." } };
    expect(applyPatch(theirs, mine)).toEqual({
      ...before,
      name: "Mira",
      lines: { greeting: "Good day.", goodbye: "See you." },
    });
    expect(theirs.lines.greeting).toBe("Hi.");
  });

  it("lands where it was meant to", () => {
    const after = { name: "Robin", voice: "eve", lines: { greeting: "Yes?" }, providers: {} };
    expect(applyPatch(before, mergePatch(before, after))).toEqual(after);
  });
});

describe("the comparison of two versions", () => {
  it("names each field that differs, with both values", () => {
    const after = { ...before, voice: null, lines: { ...before.lines, goodbye: "So long." } };
    expect(differences(before, after)).toEqual([
      { path: "voice", before: "ada", after: null },
      { path: "lines.goodbye", before: "Bye.", after: "So long." },
    ]);
  });

  it("compares tools by their names, wherever they stand", () => {
    const [a, b] = [
      { name: "book", confirm: "Sure?" },
      { name: "cancel", confirm: "Really?" },
    ];
    expect(differences({ tools: [a, b] }, { tools: [b, { ...a, confirm: "Shall I?" }] })).toEqual([
      { path: "tools.book.confirm", before: "Sure?", after: "Shall I?" },
    ]);
    expect(differences({ tools: [a, b] }, { tools: [b] })).toEqual([
      { path: "tools.book", before: a, after: undefined },
    ]);
  });

  it("shows nothing for what is not set", () => {
    expect([shown(null), shown(undefined), shown(""), shown("x"), shown(3)]).toEqual(["", "", "", "x", "3"]);
  });
});

describe("providers of a stage", () => {
  it("are written as the server writes them", () => {
    expect(choiceText({ name: "acme", model: "" })).toBe("acme");
    expect(choiceText({ name: "acme", model: "fast" })).toEqual({ name: "acme", model: "fast" });
  });

  it("are not mentioned when there are none", () => {
    expect(withChoices({ tts: ["acme"], prefer: "cost" }, "tts", [])).toEqual({ prefer: "cost" });
    expect(withChoices({ prefer: "cost" }, "stt", ["acme"])).toEqual({ prefer: "cost", stt: ["acme"] });
  });
});
