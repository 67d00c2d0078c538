import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense, useEffect, useState } from "react";
import { api } from "../../../api/client";
import type { components } from "../../../api/schema.gen";
import { t } from "../../../i18n";
import { CompassIcon, PlusIcon } from "../../../ui/icons";
import { Button } from "../../../ui/kit/button";
import { Confirm } from "../../../ui/kit/dialog";
import { Menu } from "../../../ui/kit/menu";
import { Card, Empty, Problem, Skeleton } from "../../../ui/kit/page";
import type { AgentDraft } from "../draft";
import { FlowIcon } from "./icons";
import { Inspector } from "./inspector";
import { KindIcon, kindName } from "./kinds";
import { StepList } from "./list";
import { arranged, type Flow, type FlowKind, freshFlow, KINDS, nodeOf, withFresh, without } from "./model";
import { FlowProblems, type Problems, problemsByNode } from "./problems";
import { NO_TRIAL, type Trial, TrialCard } from "./trial";

/** The canvas comes with a library of its own; the list does without. */
const Canvas = lazy(() => import("./canvas"));

/** So long nobody types before a flow is looked at. */
const SETTLED_MS = 400;
const PHONE = "(max-width: 767px)";

export interface EditorProps {
  flow: Flow;
  change: (flow: Flow) => void;
  editable: boolean;
  selected: string | null;
  select: (id: string | null) => void;
  problems: Map<string, Problems>;
  /** The steps of the trial, in order; the last one is where it stands. */
  path: string[];
}

interface TabProps {
  agent: string;
  draft: AgentDraft;
  set: (change: Partial<AgentDraft>) => void;
  editable: boolean;
}

export default function FlowTab({ agent, draft, set, editable }: TabProps) {
  const flow = draft.flow ?? null;
  if (flow === null) {
    const begin = () => set({ flow: freshFlow(t("flows.first_question")) });
    return (
      <Empty
        icon={<FlowIcon />}
        title={t("flows.empty_title")}
        action={
          editable && (
            <Button tone="primary" icon={<PlusIcon className="size-4" />} onClick={begin}>
              {t("flows.begin")}
            </Button>
          )
        }
      >
        {t("flows.empty_text")}
      </Empty>
    );
  }
  return <FlowEditor agent={agent} draft={draft} flow={flow} set={set} editable={editable} />;
}

function FlowEditor({ agent, draft, flow, set, editable }: TabProps & { flow: Flow }) {
  const [selected, select] = useState<string | null>(null);
  const [view, setView] = useState<"canvas" | "list">(() => (window.matchMedia(PHONE).matches ? "list" : "canvas"));
  const [removed, setRemoved] = useState<Flow | null>(null);
  const [dropping, setDropping] = useState(false);
  const [trial, setTrial] = useState<Trial | null>(null);
  const tested = useTested(agent, flow, trial ?? NO_TRIAL);
  const change = (next: Flow) => {
    setRemoved(null);
    set({ flow: next });
  };
  const remove = (id: string) => {
    set({ flow: without(flow, id) });
    setRemoved(flow);
    if (selected === id) select(null);
  };
  const add = (kind: FlowKind) => {
    const fresh = withFresh(flow, kind, selected);
    change(fresh.flow);
    select(fresh.id);
  };
  const problems = problemsByNode(tested.data?.problems ?? []);
  const path = trial === null ? [] : (tested.data?.path ?? []);
  const editor: EditorProps = { flow, change, editable, selected, select, problems, path };
  const node = nodeOf(flow, selected);
  const inspector = node && (
    <Inspector
      key={node.id}
      node={node}
      flow={flow}
      tools={draft.tools}
      language={draft.language}
      problems={problems.get(node.id) ?? []}
      editable={editable}
      change={change}
      select={select}
      remove={() => remove(node.id)}
    />
  );
  return (
    <div className="flex flex-col gap-4">
      <div className="flex flex-wrap items-center gap-2">
        <p className="min-w-56 flex-1 text-sm text-soft">{t("flows.lead")}</p>
        <ViewSwitch view={view} setView={setView} />
        {editable && (
          <>
            {removed !== null && <Button onClick={() => change(removed)}>{t("flows.put_back")}</Button>}
            <Button
              icon={<CompassIcon className="size-4" />}
              disabled={flow.nodes.every(({ position }) => position === undefined)}
              onClick={() => change(arranged(flow))}
            >
              {t("flows.arrange")}
            </Button>
            <Menu
              trigger={
                <Button tone="primary" icon={<PlusIcon className="size-4" />}>
                  {t("flows.add")}
                </Button>
              }
              items={KINDS.map((kind) => ({
                label: kindName(kind),
                icon: <KindIcon kind={kind} />,
                onSelect: () => add(kind),
              }))}
            />
          </>
        )}
      </div>
      {tested.error !== null && <Problem error={tested.error} retry={() => void tested.refetch()} />}
      <FlowProblems flow={flow} problems={tested.data?.problems ?? null} select={select} />
      <div className="grid items-start gap-4 lg:grid-cols-[minmax(0,1fr)_21rem]">
        {view === "canvas" ? (
          <Suspense fallback={<Skeleton rows={1} className="h-128" />}>
            <Canvas {...editor} remove={remove} />
          </Suspense>
        ) : (
          <StepList {...editor} inspector={inspector} />
        )}
        <div className="flex min-w-0 flex-col gap-4">
          {view === "canvas" &&
            (inspector ?? (
              <Card>
                <p className="text-sm leading-relaxed text-soft">{t("flows.choose_step")}</p>
              </Card>
            ))}
          <TrialCard
            flow={flow}
            language={draft.language}
            tested={trial === null ? undefined : tested.data}
            busy={tested.isFetching}
            trial={trial}
            setTrial={setTrial}
            select={select}
          />
          {editable && (
            <Button tone="ghost" className="self-start" onClick={() => setDropping(true)}>
              {t("flows.drop")}
            </Button>
          )}
        </div>
      </div>
      <Confirm
        open={dropping}
        title={t("flows.drop_title")}
        action={t("flows.drop")}
        onConfirm={() => set({ flow: null })}
        onClose={() => setDropping(false)}
      >
        {t("flows.drop_text")}
      </Confirm>
    </div>
  );
}

function ViewSwitch({ view, setView }: { view: "canvas" | "list"; setView: (view: "canvas" | "list") => void }) {
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset would draw its own frame.
    <div role="group" aria-label={t("flows.view")} className="flex rounded-lg border border-line bg-card p-0.5">
      {(["canvas", "list"] as const).map((one) => (
        <button
          key={one}
          type="button"
          aria-pressed={view === one}
          onClick={() => setView(one)}
          className="h-7.5 rounded-md px-3 text-sm text-soft aria-pressed:bg-sunken aria-pressed:font-medium aria-pressed:text-ink"
        >
          {t(`flows.view_${one}`)}
        </button>
      ))}
    </div>
  );
}

/** What the server says about the flow as it is on the page: its problems, and how the trial goes. */
function useTested(agent: string, flow: Flow, trial: Trial) {
  const asked = useSettled(JSON.stringify({ flow, turns: trial.turns, results: trial.results }));
  return useQuery({
    queryKey: ["flow-test", agent, asked],
    queryFn: async ({ signal }) => {
      const body = JSON.parse(asked) as components["schemas"]["FlowTest"];
      const path = { agent };
      return (await api.POST("/api/v1/agents/{agent}/flow/test", { params: { path }, body, signal })).data;
    },
    placeholderData: (before) => before,
    gcTime: 60_000,
    retry: false,
  });
}

function useSettled(value: string): string {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), SETTLED_MS);
    return () => clearTimeout(timer);
  }, [value]);
  return settled;
}
