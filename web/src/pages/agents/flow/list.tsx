import type { ReactNode } from "react";
import { t } from "../../../i18n";
import { ChevronIcon } from "../../../ui/icons";
import { Badge } from "../../../ui/kit/page";
import type { EditorProps } from "./index";
import { exitName, KindIcon, kindName, titleOf } from "./kinds";
import { exitsOf, type Flow, type FlowNode, inOrder } from "./model";

/** The whole flow as a list: everything that the canvas does, for whoever reads or types rather than points. */
export function StepList({
  flow,
  selected,
  select,
  problems,
  path,
  inspector,
}: EditorProps & { inspector: ReactNode }) {
  return (
    <ol aria-label={t("flows.steps")} className="flex flex-col gap-2">
      {inOrder(flow).map((node) => {
        const open = node.id === selected;
        const wrong = problems.get(node.id)?.length ?? 0;
        const passed = path.includes(node.id);
        return (
          <li
            key={node.id}
            data-step={node.id}
            data-lit={passed || undefined}
            className={`rounded-2xl border bg-card ${passed ? "border-accent" : "border-line"}`}
          >
            <button
              type="button"
              aria-expanded={open}
              onClick={() => select(open ? null : node.id)}
              className="flex w-full items-start gap-3 rounded-2xl px-4 py-3 text-left"
            >
              <span className="mt-0.5 grid size-7 shrink-0 place-items-center rounded-lg bg-sunken text-soft">
                <KindIcon kind={node.kind} />
              </span>
              <span className="min-w-0 flex-1">
                <span className="flex flex-wrap items-center gap-2">
                  <span className="text-sm font-medium">{kindName(node.kind)}</span>
                  <code className="font-mono text-xs text-faint">{node.id}</code>
                  {flow.start === node.id && <Badge tone="live">{t("flows.start")}</Badge>}
                  {passed && <Badge tone="good">{t("flows.passed", { number: path.indexOf(node.id) + 1 })}</Badge>}
                  {path.at(-1) === node.id && <Badge tone="live">{t("flows.stands_here")}</Badge>}
                  {wrong > 0 && <Badge tone="warn">{t("flows.problems", { count: wrong })}</Badge>}
                </span>
                <span className="mt-0.5 line-clamp-2 block text-sm wrap-anywhere text-soft">{titleOf(node)}</span>
                <Ways flow={flow} node={node} />
              </span>
              <ChevronIcon
                className={`mt-1.5 size-4 shrink-0 text-faint transition-transform ${open ? "rotate-90" : ""}`}
              />
            </button>
            {open && <div className="border-t border-line p-4">{inspector}</div>}
          </li>
        );
      })}
    </ol>
  );
}

function Ways({ flow, node }: { flow: Flow; node: FlowNode }) {
  const ways = exitsOf(node).filter(({ target }) => target !== undefined);
  if (ways.length === 0) return null;
  return (
    <span className="mt-1 flex flex-wrap gap-x-3 text-xs text-faint">
      {ways.map((way) => (
        <span key={way.name}>
          {exitName(node, way)} → <span className="font-mono">{way.target}</span>
          {!flow.nodes.some(({ id }) => id === way.target) && ` (${t("flows.missing")})`}
        </span>
      ))}
    </span>
  );
}
