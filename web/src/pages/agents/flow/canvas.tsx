import {
  Background,
  type Connection,
  type Edge,
  Handle,
  MarkerType,
  type Node,
  type NodeChange,
  type NodeProps,
  Panel,
  Position,
  ReactFlow,
  ReactFlowProvider,
  useReactFlow,
  useUpdateNodeInternals,
} from "@xyflow/react";
import "@xyflow/react/dist/base.css";
import "./canvas.css";
import { useEffect, useRef, useState } from "react";
import { t } from "../../../i18n";
import { CompassIcon, MinusIcon, PlusIcon } from "../../../ui/icons";
import { IconButton } from "../../../ui/kit/button";
import { Badge } from "../../../ui/kit/page";
import type { EditorProps } from "./index";
import { exitName, KindIcon, kindName, titleOf } from "./kinds";
import {
  type Position as At,
  exitsOf,
  type FlowNode,
  nodeOf,
  placesOf,
  stretches,
  withNode,
  withTarget,
} from "./model";

interface StepData extends Record<string, unknown> {
  node: FlowNode;
  isStart: boolean;
  problems: number;
  /** Its place in the trial, from 1; 0: not passed. */
  passed: number;
  standsHere: boolean;
}
type StepNode = Node<StepData, "step">;
type Size = { width: number; height: number };

const TYPES = { step: StepCard };
/** A step moves so far with an arrow key. */
const GRID: [number, number] = [10, 10];

export default function Canvas(props: EditorProps & { remove: (id: string) => void }) {
  return (
    <ReactFlowProvider>
      <Graph {...props} />
    </ReactFlowProvider>
  );
}

/** The flow as a graph. It is the flow that is drawn; only what is being dragged has a place of its own meanwhile. */
function Graph({
  flow,
  change,
  editable,
  selected,
  select,
  problems,
  path,
  remove,
}: EditorProps & { remove: (id: string) => void }) {
  const [moved, setMoved] = useState<Record<string, At>>({});
  const [sizes, setSizes] = useState<Record<string, Size>>({});
  const places = placesOf(flow);
  const nodes = flow.nodes.map((node): StepNode => {
    const size = sizes[node.id];
    const data = {
      node,
      isStart: flow.start === node.id,
      problems: problems.get(node.id)?.length ?? 0,
      passed: path.indexOf(node.id) + 1,
      standsHere: path.at(-1) === node.id,
    };
    return {
      id: node.id,
      type: "step",
      position: moved[node.id] ?? places[node.id] ?? { x: 0, y: 0 },
      selected: node.id === selected,
      ariaLabel: describe(node),
      data,
      ...(size === undefined ? {} : { measured: size }),
    };
  });
  const onNodesChange = (changes: NodeChange<StepNode>[]) => {
    const to: Record<string, At> = {};
    let settled = false;
    for (const one of changes) {
      if (one.type === "dimensions" && one.dimensions) {
        const { dimensions, id } = one;
        setSizes((now) => ({ ...now, [id]: dimensions }));
      } else if (one.type === "position" && one.position) {
        to[one.id] = { x: Math.round(one.position.x), y: Math.round(one.position.y) };
        settled ||= one.dragging !== true;
      } else if (one.type === "select" && one.selected) select(one.id);
    }
    if (Object.keys(to).length === 0 || !editable) return;
    if (!settled) return setMoved((now) => ({ ...now, ...to }));
    setMoved({});
    const place = (node: FlowNode) => (to[node.id] === undefined ? node : { ...node, position: to[node.id] as At });
    change({ ...flow, nodes: flow.nodes.map(place) });
  };
  const connect = ({ source, sourceHandle, target }: Connection) => {
    const from = nodeOf(flow, source);
    if (from) change(withNode(flow, source, withTarget(from, sourceHandle ?? "next", target)));
  };
  const cut = (edges: Edge[]) => {
    const cutOff = edges.reduce((result, { source, sourceHandle }) => {
      const from = nodeOf(result, source);
      return from ? withNode(result, source, withTarget(from, sourceHandle ?? "next", "")) : result;
    }, flow);
    change(cutOff);
  };
  return (
    <div
      data-flow-canvas
      className="flow-canvas top-0 h-[min(44rem,70dvh)] min-h-96 overflow-hidden rounded-2xl border border-line bg-sunken lg:sticky"
    >
      <ReactFlow<StepNode>
        nodes={nodes}
        edges={edgesOf(flow.nodes, stretches(path))}
        nodeTypes={TYPES}
        onNodesChange={onNodesChange}
        onPaneClick={() => select(null)}
        onConnect={connect}
        onEdgesDelete={cut}
        onNodesDelete={([gone]) => gone && remove(gone.id)}
        nodesDraggable={editable}
        nodesConnectable={editable}
        deleteKeyCode={editable ? ["Delete", "Backspace"] : null}
        multiSelectionKeyCode={null}
        selectionKeyCode={null}
        snapToGrid
        snapGrid={GRID}
        fitView
        fitViewOptions={{ maxZoom: 1, padding: 0.15 }}
        minZoom={0.2}
        maxZoom={1.5}
        zoomOnScroll={false}
        zoomOnDoubleClick={false}
        preventScrolling={false}
        proOptions={{ hideAttribution: true }}
        ariaLabelConfig={{
          "node.a11yDescription.default": t("flows.keys_step"),
          "node.a11yDescription.keyboardDisabled": t("flows.keys_step"),
          "node.a11yDescription.ariaLiveMessage": ({ x, y }) =>
            t("flows.moved", { x: Math.round(x), y: Math.round(y) }),
          "edge.a11yDescription.default": t("flows.keys_way"),
          "handle.ariaLabel": t("flows.handle"),
        }}
      >
        <Background gap={20} />
        <Zoom />
      </ReactFlow>
    </div>
  );
}

function describe(node: FlowNode): string {
  const ways = exitsOf(node).flatMap((way) =>
    way.target === undefined ? [] : [`${exitName(node, way)}: ${way.target}`],
  );
  return [`${kindName(node.kind)} ${node.id}`, titleOf(node), ...ways].join(". ");
}

function edgesOf(nodes: FlowNode[], lit: Set<string>): Edge[] {
  const ids = new Set(nodes.map(({ id }) => id));
  return nodes.flatMap((node) =>
    exitsOf(node).flatMap((way): Edge[] => {
      const { name, target } = way;
      if (target === undefined || !ids.has(target)) return [];
      const passed = lit.has(`${node.id}>${target}`);
      const color = passed ? "var(--color-accent)" : "var(--color-field)";
      return [
        {
          id: `${node.id}:${name}`,
          source: node.id,
          sourceHandle: name,
          target,
          className: passed ? "is-lit" : "",
          zIndex: passed ? 1 : 0,
          markerEnd: { type: MarkerType.ArrowClosed, color, width: 16, height: 16 },
          ariaLabel: t("flows.way", { from: node.id, name: exitName(node, way), to: target }),
        },
      ];
    }),
  );
}

function StepCard({ id, data, selected }: NodeProps<StepNode>) {
  const { node, isStart, problems, passed, standsHere } = data;
  const exits = exitsOf(node);
  const count = exits.length;
  const update = useUpdateNodeInternals();
  const drawn = useRef(count);
  // With the number of ways out their places move, which nobody sees but the card.
  useEffect(() => {
    if (drawn.current !== count) update(id);
    drawn.current = count;
  }, [update, id, count]);
  const frame = selected ? "border-accent ring-2 ring-accent/40" : passed > 0 ? "border-accent" : "border-line";
  return (
    <div
      data-step={node.id}
      data-lit={passed > 0 || undefined}
      className={`w-60 rounded-xl border bg-card text-left shadow-raised ${frame}`}
    >
      <Handle type="target" position={Position.Top} />
      <div className="flex items-start gap-2.5 px-3 py-2.5">
        <span
          className={`grid size-7 shrink-0 place-items-center rounded-lg ${passed > 0 ? "bg-accent text-on-accent" : "bg-sunken text-soft"}`}
        >
          <KindIcon kind={node.kind} />
        </span>
        <div className="min-w-0 flex-1">
          <p className="flex flex-wrap items-center gap-1.5">
            <span className="truncate font-mono text-xs text-faint">{node.id}</span>
            {isStart && <Badge tone="live">{t("flows.start")}</Badge>}
            {problems > 0 && <Badge tone="warn">{t("flows.problems", { count: problems })}</Badge>}
            {standsHere && <Badge tone="good">{t("flows.stands_here")}</Badge>}
          </p>
          <p className="line-clamp-2 text-[0.8125rem] leading-snug wrap-anywhere">{titleOf(node)}</p>
        </div>
      </div>
      {count > 0 && (
        <div className="flex border-t border-line">
          {exits.map((way) => (
            <span key={way.name} className="relative min-w-0 flex-1 px-1.5 py-1 text-center text-xs text-soft">
              <span className="block truncate">{exitName(node, way)}</span>
              <Handle type="source" position={Position.Bottom} id={way.name} />
            </span>
          ))}
        </div>
      )}
    </div>
  );
}

function Zoom() {
  const { zoomIn, zoomOut, fitView } = useReactFlow();
  return (
    <Panel position="bottom-left" className="flex rounded-lg border border-line bg-card">
      <IconButton label={t("flows.zoom_in")} onClick={() => void zoomIn()}>
        <PlusIcon className="size-4" />
      </IconButton>
      <IconButton label={t("flows.zoom_out")} onClick={() => void zoomOut()}>
        <MinusIcon className="size-4" />
      </IconButton>
      <IconButton label={t("flows.zoom_all")} onClick={() => void fitView({ maxZoom: 1, padding: 0.15 })}>
        <CompassIcon className="size-4" />
      </IconButton>
    </Panel>
  );
}
