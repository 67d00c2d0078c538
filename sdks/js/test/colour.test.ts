import { expect, test } from "vitest";
import { contrast, readable, textOn } from "../widget/colour";
import { chooseLanguage, WORDS } from "../widget/words";

test("whatever colour a business chooses, words on it and in it can be read", () => {
  for (const colour of ["#ffffff", "#000000", "#ffe600", "#0f5bd7", "#777777", "#ff0000", "#00ff88"]) {
    expect(contrast(colour, textOn(colour))).toBeGreaterThanOrEqual(4.5);
    for (const ground of ["#ffffff", "#16181d"]) {
      expect(contrast(readable(colour, ground), ground)).toBeGreaterThanOrEqual(4.5);
    }
  }
});

test("the widget speaks the language of the page where the business offers it", () => {
  expect(chooseLanguage(["en", "hi"], ["hi-IN", "en"])).toBe("hi");
  expect(chooseLanguage(["en"], ["hi-IN"])).toBe("en");
  expect(chooseLanguage(["hi", "en"], ["fr"])).toBe("hi");
  expect(chooseLanguage([], [])).toBe("en");
});

test("every word is there in every language", () => {
  expect(Object.keys(WORDS.hi)).toEqual(Object.keys(WORDS.en));
});
