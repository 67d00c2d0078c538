/** Flows as they are stored (docs/flows.md), and every way in which an editor changes one. Nothing here is drawn. */

export type FlowAnswer =
  | { kind: "text" | "yes_no" | "day" }
  | { kind: "pattern"; regex: string }
  | { kind: "choice"; options: { value: string; said?: string[] }[] };

export type FlowCase = { variable: string; next: string } & (
  | { test: "is" | "contains"; value: string }
  | { test: "known" }
  | { test: "above"; value: number }
);

/** A way to go on from a menu: by a key of the telephone, by words, or by both. */
export interface MenuChoice {
  key?: string;
  said?: string[];
  next: string;
}

export interface Position {
  x: number;
  y: number;
}

export type FlowStep =
  | { kind: "say"; text: string; next: string }
  | {
      kind: "ask";
      text: string;
      variable: string;
      answer?: FlowAnswer;
      tries_max?: number;
      next: string;
      otherwise?: string;
    }
  | {
      kind: "menu";
      text: string;
      choices: MenuChoice[];
      again?: string;
      tries_max?: number;
      silence_ms?: number;
      otherwise: string;
    }
  | { kind: "branch"; cases: FlowCase[]; otherwise: string }
  | {
      kind: "tool";
      tool: string;
      arguments?: Record<string, string>;
      variable?: string;
      next: string;
      failed?: string;
    }
  | { kind: "set"; variable: string; value: string; next: string }
  | { kind: "transfer"; to?: string }
  | { kind: "end"; text?: string; hang_up?: boolean };

export type FlowKind = FlowStep["kind"];
export type FlowNode = FlowStep & { id: string; position?: Position };
export type NodeOf<Kind extends FlowKind> = Extract<FlowNode, { kind: Kind }>;

export interface Flow {
  start: string;
  nodes: FlowNode[];
}

/** In the order in which somebody meets them. */
export const KINDS: FlowKind[] = ["say", "ask", "menu", "branch", "tool", "set", "transfer", "end"];
export const ID = "[A-Za-z0-9_\\-]{1,64}";
export const TRIES_DEFAULT = 3;
export const SILENCE_MS_DEFAULT = 5_000;

/** A way out of a step: `next`, `otherwise`, `failed`, or `case:0` of a branch or a menu. */
export interface Exit {
  name: string;
  /** The step that it leads to; none: nowhere yet, or the end of the flow. */
  target?: string;
  /** A step may do without it. */
  optional: boolean;
}

function exit(name: string, target: string | undefined, optional = false): Exit {
  return target === undefined || target === "" ? { name, optional } : { name, target, optional };
}

export function exitsOf(node: FlowNode): Exit[] {
  switch (node.kind) {
    case "say":
    case "set":
      return [exit("next", node.next)];
    case "ask":
      return [exit("next", node.next), exit("otherwise", node.otherwise, true)];
    case "branch":
      return [...node.cases.map(({ next }, index) => exit(`case:${index}`, next)), exit("otherwise", node.otherwise)];
    case "menu":
      return [...node.choices.map(({ next }, index) => exit(`case:${index}`, next)), exit("otherwise", node.otherwise)];
    case "tool":
      return [exit("next", node.next), exit("failed", node.failed, true)];
    default:
      return [];
  }
}

/** The step with one of its ways out led elsewhere; `""`: nowhere. */
export function withTarget(node: FlowNode, name: string, target: string): FlowNode {
  const at = name.startsWith("case:") ? Number(name.slice(5)) : -1;
  const led = <Way extends { next: string }>(ways: Way[]) =>
    ways.map((one, index) => (index === at ? { ...one, next: target } : one));
  if (node.kind === "branch" && at >= 0) return { ...node, cases: led(node.cases) };
  if (node.kind === "menu" && at >= 0) return { ...node, choices: led(node.choices) };
  const known = exitsOf(node).find((one) => one.name === name);
  if (known === undefined) return node;
  if (target !== "" || !known.optional) return { ...node, [name]: target } as FlowNode;
  const { [name as "id"]: _, ...rest } = node;
  return rest as FlowNode;
}

export function nodeOf(flow: Flow, id: string | null): FlowNode | undefined {
  return flow.nodes.find((node) => node.id === id);
}

export function freshId(flow: Flow, kind: FlowKind): string {
  const taken = new Set(flow.nodes.map(({ id }) => id));
  for (let count = 1; ; count++) {
    const id = count === 1 ? kind : `${kind}_${count}`;
    if (!taken.has(id)) return id;
  }
}

export function freshNode(kind: FlowKind, id: string): FlowNode {
  switch (kind) {
    case "say":
      return { id, kind, text: "", next: "" };
    case "ask":
      return { id, kind, text: "", variable: id, answer: { kind: "text" }, tries_max: TRIES_DEFAULT, next: "" };
    case "menu":
      return { id, kind, text: "", choices: [{ key: "1", next: "" }], otherwise: "" };
    case "branch":
      return { id, kind, cases: [{ variable: "", test: "is", value: "", next: "" }], otherwise: "" };
    case "tool":
      return { id, kind, tool: "", arguments: {}, next: "" };
    case "set":
      return { id, kind, variable: "", value: "", next: "" };
    case "end":
      return { id, kind, hang_up: true };
    default:
      return { id, kind };
  }
}

/** A flow to begin with: one question, and a goodbye. */
export function freshFlow(question: string): Flow {
  const ask = { ...freshNode("ask", "ask"), text: question, variable: "answer", next: "end" } as FlowNode;
  return { start: "ask", nodes: [ask, freshNode("end", "end")] };
}

export function withNode(flow: Flow, id: string, node: FlowNode): Flow {
  return { ...flow, nodes: flow.nodes.map((one) => (one.id === id ? node : one)) };
}

/** A new step. The first way out of `after` that leads nowhere leads to it. */
export function withFresh(flow: Flow, kind: FlowKind, after: string | null): { flow: Flow; id: string } {
  const id = freshId(flow, kind);
  const from = nodeOf(flow, after);
  const open = from && exitsOf(from).find(({ target }) => target === undefined || nodeOf(flow, target) === undefined);
  const nodes = flow.nodes.map((node) => (node === from && open ? withTarget(node, open.name, id) : node));
  return { flow: { start: flow.nodes.length === 0 ? id : flow.start, nodes: [...nodes, freshNode(kind, id)] }, id };
}

function retargeted(node: FlowNode, from: string, to: string): FlowNode {
  return exitsOf(node).reduce(
    (result, { name, target }) => (target === from ? withTarget(result, name, to) : result),
    node,
  );
}

/** Every way to a step goes along with its new name. */
export function renamed(flow: Flow, from: string, to: string): Flow {
  const nodes = flow.nodes.map((node) => retargeted(node.id === from ? { ...node, id: to } : node, from, to));
  return { start: flow.start === from ? to : flow.start, nodes };
}

/** Without a step: what led to it leads nowhere, or on where it led on to when that was the only way. */
export function without(flow: Flow, id: string): Flow {
  const gone = nodeOf(flow, id);
  const onward = gone ? exitsOf(gone).filter(({ target }) => target !== undefined && target !== id) : [];
  const to = onward.length === 1 ? (onward[0]?.target ?? "") : "";
  const nodes = flow.nodes.filter((node) => node.id !== id).map((node) => retargeted(node, id, to));
  return { start: flow.start === id ? to || (nodes[0]?.id ?? "") : flow.start, nodes };
}

/** The variables that the steps set, in order. */
export function variablesOf(flow: Flow): string[] {
  const names = flow.nodes.flatMap((node) => ("variable" in node && node.variable ? [node.variable] : []));
  return [...new Set(names)];
}

export function toolsOf(flow: Flow): string[] {
  return [...new Set(flow.nodes.flatMap((node) => (node.kind === "tool" && node.tool !== "" ? [node.tool] : [])))];
}

/** What a step says or does, in its own words. */
export function summaryOf(node: FlowNode): string {
  switch (node.kind) {
    case "say":
    case "ask":
    case "menu":
      return node.text;
    case "end":
      return node.text ?? "";
    case "tool":
      return node.tool;
    case "set":
      return node.variable === "" ? "" : `${node.variable} = ${node.value}`;
    case "branch":
      return [...new Set(node.cases.map(({ variable }) => variable))].filter((name) => name !== "").join(", ");
    case "transfer":
      return node.to ?? "";
  }
}

export const COLUMN = 280;
export const ROW = 190;

/** Where each step is shown: where somebody put it, or in rows by its distance from the start. */
export function placesOf(flow: Flow): Record<string, Position> {
  const rows = rowsOf(flow);
  const places: Record<string, Position> = {};
  for (const [row, ids] of rows.entries()) {
    for (const [column, id] of ids.entries()) {
      places[id] = { x: Math.round((column - (ids.length - 1) / 2) * COLUMN), y: row * ROW };
    }
  }
  for (const { id, position } of flow.nodes) if (position) places[id] = position;
  return places;
}

function rowsOf(flow: Flow): string[][] {
  const rows: string[][] = [];
  const seen = new Set<string>();
  let row = nodeOf(flow, flow.start) ? [flow.start] : [];
  for (const id of row) seen.add(id);
  while (row.length > 0) {
    rows.push(row);
    const next: string[] = [];
    for (const id of row) {
      for (const { target } of exitsOf(nodeOf(flow, id) as FlowNode)) {
        if (target === undefined || seen.has(target) || nodeOf(flow, target) === undefined) continue;
        seen.add(target);
        next.push(target);
      }
    }
    row = next;
  }
  const lost = flow.nodes.map(({ id }) => id).filter((id) => !seen.has(id));
  return lost.length > 0 ? [...rows, lost] : rows;
}

/** Every step back to its own place. */
export function arranged(flow: Flow): Flow {
  return { ...flow, nodes: flow.nodes.map(({ position: _, ...node }) => node as FlowNode) };
}

/** The steps in the order in which a list shows them: as a caller may reach them. */
export function inOrder(flow: Flow): FlowNode[] {
  return rowsOf(flow).flatMap((ids) => ids.map((id) => nodeOf(flow, id) as FlowNode));
}

/** The ways that a walk took, as `from>to`. */
export function stretches(path: string[]): Set<string> {
  return new Set(path.slice(1).map((to, index) => `${path[index]}>${to}`));
}
