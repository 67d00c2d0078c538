import { expect, it } from "vitest";
import { csv } from "./csv";

it("quotes what would break a row", () => {
  expect(csv([["a,b", 'say "hi"', "two\nlines", 3, null]])).toBe('\uFEFF"a,b","say ""hi""","two\nlines",3,\r\n');
});

it("does not let a customer's words become a formula", () => {
  expect(csv([['=HYPERLINK("http://evil")', "@SUM(1)", "-2+3", "+49 1"]])).toBe(
    '\uFEFF"\'=HYPERLINK(""http://evil"")",\'@SUM(1),\'-2+3,\'+49 1\r\n',
  );
});

it("leaves telephone numbers as they are", () => {
  expect(csv([["+4915735550123"]])).toBe("\uFEFF+4915735550123\r\n");
});
