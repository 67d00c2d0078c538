import { describe, expect, it } from "vitest";
import { newAgent, TEMPLATES } from "./templates";

describe("a new agent", () => {
  it("knows its name and whom it speaks for, in every kind and language", () => {
    for (const template of TEMPLATES) {
      for (const language of ["en", "hi-IN", "de"]) {
        const made = JSON.stringify(newAgent(template, { slug: "a", name: "Mira", business: "Harbour", language }));
        expect(made).toContain("Mira");
        expect(made).toContain("Harbour");
        expect(made.replaceAll("{tool}", "").replaceAll("{args}", "")).not.toMatch(/\{(name|business)\}/);
      }
    }
  });

  it("says all its lines in the language that it speaks", () => {
    const hindi = newAgent("reception", { slug: "a", name: "Mira", business: "Harbour", language: "hi" });
    expect(
      Object.values(hindi.lines as object)
        .flat()
        .join(" "),
    ).not.toMatch(/\b(you|the|call)\b/);
  });
});
