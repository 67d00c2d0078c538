import { IntlMessageFormat } from "intl-messageformat";
import { describe, expect, it } from "vitest";
import { en } from "./en";
import { hi } from "./hi";

type Catalogue = Record<string, Record<string, string>>;
const flat = (catalogue: Catalogue) =>
  new Map(
    Object.entries(catalogue).flatMap(([part, words]) =>
      Object.entries(words).map(([name, text]) => [`${part}.${name}`, text] as const),
    ),
  );
/** Names of what a message is filled with. */
const slots = (text: string) => [...text.matchAll(/\{(\w+)/g)].map(([, name]) => name).sort();

describe("the catalogues", () => {
  const english = flat(en);
  const hindi = flat(hi);

  it("have the same keys", () => {
    expect([...hindi.keys()].sort()).toEqual([...english.keys()].sort());
  });

  it("say something under every key, filled with the same values", () => {
    for (const [key, text] of english) {
      const other = hindi.get(key) ?? "";
      expect(text.trim(), key).not.toBe("");
      expect(other.trim(), key).not.toBe("");
      const plural = text.includes(", plural,") || other.includes(", plural,");
      if (!plural) expect(slots(other), key).toEqual(slots(text));
    }
  });

  it("hold only messages that can be formatted", () => {
    for (const [language, catalogue] of [["en", english] as const, ["hi", hindi] as const]) {
      for (const [key, text] of catalogue) {
        expect(
          () => new IntlMessageFormat(text, language, undefined, { ignoreTag: true }),
          `${language} ${key}`,
        ).not.toThrow();
      }
    }
  });
});
