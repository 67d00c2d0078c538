import type { components } from "../../../api/schema.gen";
import { t, wordsOf } from "../../../i18n";
import { CheckIcon, WarnIcon } from "../../../ui/icons";
import type { Flow } from "./model";

export type FlowProblem = components["schemas"]["FlowProblem"];
export type Problems = FlowProblem[];

export function problemsByNode(problems: Problems): Map<string, Problems> {
  const map = new Map<string, Problems>();
  for (const problem of problems) {
    if (problem.node == null) continue;
    map.set(problem.node, [...(map.get(problem.node) ?? []), problem]);
  }
  return map;
}

/** In the reader's language where the catalogue knows it, with what only the server knows behind it. */
export function problemText({ code, detail }: FlowProblem): string {
  return wordsOf("flow_problems", code, { detail }) ?? detail;
}

export function ProblemList({ problems }: { problems: Problems }) {
  if (problems.length === 0) return null;
  return (
    <ul className="flex flex-col gap-1 rounded-xl bg-warn/10 px-3 py-2 text-[0.8125rem] leading-snug text-warn">
      {problems.map((problem) => (
        <li key={`${problem.code} ${problem.detail}`} data-flow-problem={problem.code}>
          {problemText(problem)}
        </li>
      ))}
    </ul>
  );
}

/** Everything that keeps the flow from being published, each with the way to its step. */
export function FlowProblems({
  flow,
  problems,
  select,
}: {
  flow: Flow;
  problems: Problems | null;
  select: (id: string) => void;
}) {
  if (problems === null) return null;
  if (problems.length === 0) {
    return (
      <p role="status" className="flex items-center gap-2 text-sm text-good">
        <CheckIcon className="size-4 shrink-0" />
        {t("flows.sound", { count: flow.nodes.length })}
      </p>
    );
  }
  const whole = problems.filter(({ node }) => node == null);
  const ids = [...problemsByNode(problems).keys()];
  return (
    <div role="status" className="flex flex-wrap items-center gap-x-3 gap-y-1.5 text-sm">
      <span className="flex items-center gap-2 text-warn">
        <WarnIcon className="size-4 shrink-0" />
        {t("flows.problems", { count: problems.length })}
      </span>
      {whole.map((problem) => (
        <span key={problem.code + problem.detail}>{problemText(problem)}</span>
      ))}
      {ids.map((id) => (
        <button
          key={id}
          type="button"
          onClick={() => select(id)}
          className="h-7 rounded-full border border-line bg-card px-2.5 font-mono text-xs hover:bg-sunken"
        >
          {id}
        </button>
      ))}
    </div>
  );
}
