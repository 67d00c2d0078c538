import { describe, expect, it } from "vitest";
import {
  arranged,
  exitsOf,
  type Flow,
  type FlowNode,
  freshFlow,
  inOrder,
  nodeOf,
  placesOf,
  renamed,
  stretches,
  variablesOf,
  withFresh,
  without,
  withTarget,
} from "./model";

const flow: Flow = {
  start: "number",
  nodes: [
    { id: "number", kind: "ask", text: "Which order?", variable: "order", next: "look_up", otherwise: "person" },
    { id: "look_up", kind: "tool", tool: "order_status", arguments: {}, variable: "found", next: "which" },
    {
      id: "which",
      kind: "branch",
      cases: [{ variable: "found", test: "known", next: "tell" }],
      otherwise: "number",
    },
    { id: "tell", kind: "end", text: "It is {found}." },
    { id: "person", kind: "transfer" },
  ],
};
const targets = (at: Flow, id: string) => exitsOf(nodeOf(at, id) as FlowNode).map(({ target }) => target);

describe("a flow in the editor", () => {
  it("takes every way along when a step is renamed", () => {
    const after = renamed(flow, "number", "order_number");
    expect(after.start).toBe("order_number");
    expect(targets(after, "which")).toEqual(["tell", "order_number"]);
    expect(targets(after, "order_number")).toEqual(["look_up", "person"]);
  });

  it("closes the gap where a step with one way on is removed, and leaves others open", () => {
    expect(targets(without(flow, "look_up"), "number")).toEqual(["which", "person"]);
    expect(targets(without(flow, "person"), "number")).toEqual(["look_up", undefined]);
    expect(nodeOf(without(flow, "person"), "number")).not.toHaveProperty("otherwise");
    expect(targets(without(flow, "which"), "look_up")).toEqual([undefined, undefined]);
    expect(without(flow, "number").start).not.toBe("number");
  });

  it("draws the choices of a menu as its ways, and takes them along", () => {
    const menu: FlowNode = {
      id: "menu",
      kind: "menu",
      text: "Orders or repairs?",
      choices: [
        { key: "1", said: ["orders"], next: "number" },
        { key: "2", next: "" },
      ],
      otherwise: "person",
    };
    const with_menu = { start: "menu", nodes: [menu, ...flow.nodes] };
    expect(targets(with_menu, "menu")).toEqual(["number", undefined, "person"]);
    expect(targets(renamed(with_menu, "number", "order"), "menu")).toEqual(["order", undefined, "person"]);
    expect(exitsOf(withTarget(menu, "case:1", "person")).map(({ target }) => target)).toEqual([
      "number",
      "person",
      "person",
    ]);
  });

  it("leads the first open way of a step to a new one", () => {
    const { flow: after, id } = withFresh(flow, "say", "look_up");
    expect(targets(after, "look_up")).toEqual(["which", id]);
    expect(withFresh(after, "say", null).id).not.toBe(id);
    expect(withFresh({ start: "", nodes: [] }, "ask", null).flow.start).toBe("ask");
  });

  it("leads one case elsewhere and takes an optional way back", () => {
    const branch = nodeOf(flow, "which") as FlowNode;
    expect(exitsOf(withTarget(branch, "case:0", "person"))[0]?.target).toBe("person");
    const ask = nodeOf(flow, "number") as FlowNode;
    expect(withTarget(ask, "otherwise", "")).not.toHaveProperty("otherwise");
    expect(withTarget(ask, "next", "")).toHaveProperty("next", "");
  });

  it("shows each step in a place of its own, and those that nothing leads to, too", () => {
    const lost: Flow = { ...flow, nodes: [...flow.nodes, { id: "lost", kind: "end", position: { x: 5, y: 7 } }] };
    const places = placesOf(lost);
    expect(places.lost).toEqual({ x: 5, y: 7 });
    expect(new Set(Object.values(places).map(({ x, y }) => `${x} ${y}`)).size).toBe(lost.nodes.length);
    expect(placesOf(arranged(lost)).lost).not.toEqual({ x: 5, y: 7 });
    expect(inOrder(lost).map(({ id }) => id)).toEqual(["number", "look_up", "person", "which", "tell", "lost"]);
  });

  it("knows its variables and the ways that a walk took", () => {
    expect(variablesOf(flow)).toEqual(["order", "found"]);
    expect([...stretches(["number", "look_up", "which"])]).toEqual(["number>look_up", "look_up>which"]);
    expect(variablesOf(freshFlow("Who is calling?"))).toEqual(["answer"]);
  });
});
