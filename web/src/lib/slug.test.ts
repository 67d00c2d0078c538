import { expect, it } from "vitest";
import { freeSlug } from "./slug";

it("a short name is one that nobody has yet, also where no letter of the name can stand in an address", () => {
  expect(freeSlug("Füße & Räder", "agent", [])).toBe("fu-e-rader");
  expect(freeSlug("Robin", "agent", ["robin", "robin-2"])).toBe("robin-3");
  expect(freeSlug("मीरा", "agent", ["agent"])).toBe("agent-2");
});
