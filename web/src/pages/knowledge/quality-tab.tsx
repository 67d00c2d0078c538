import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { $api, api } from "../../api/client";
import type { components } from "../../api/schema.gen";
import { t, wordsOf } from "../../i18n";
import { percent, shortDate, whole } from "../../ui/format";
import { PlayIcon } from "../../ui/icons";
import { useAction } from "../../ui/kit/action";
import { Button } from "../../ui/kit/button";
import { Confirm, Dialog } from "../../ui/kit/dialog";
import { Card, Problem, Skeleton } from "../../ui/kit/page";
import { Progress } from "../../ui/kit/progress";
import { Bars } from "../../ui/sparkline";
import { EmbeddingChoice } from "./embedding";
import { isActive, type Job, jobAccepted } from "./jobs";
import { QuestionSet } from "./question-set";
import { shareOf, stageOf } from "./work";

type Evaluation = components["schemas"]["KnowledgeEvaluation"];
const REPORTS_MAX = 20;

/** How good the answers are, measured with questions of which the answer is known. */
export function QualityTab({ editable, jobs }: { editable: boolean; jobs: readonly Job[] }) {
  const reports = $api.useQuery("get", "/api/v1/knowledge/evaluations", {
    params: { query: { limit: REPORTS_MAX } },
  });
  const questions = $api.useQuery("get", "/api/v1/knowledge/questions", { params: { query: { limit: 1 } } });
  const [opened, setOpened] = useState<Evaluation | null>(null);
  const { busy, run } = useAction();
  const measuring = jobs.find((job) => job.kind === "evaluation" && isActive(job));
  const none = questions.data?.items.length === 0;
  const measure = () =>
    run(async () => {
      const { data } = await api.POST("/api/v1/knowledge/evaluations", {});
      if (data !== undefined) jobAccepted(data);
    });
  const items = reports.data?.items ?? [];
  const newest = items[0];
  return (
    <div className="flex flex-col gap-5">
      <Card
        title={t("knowledge.quality")}
        actions={
          editable && (
            <Button
              size="sm"
              tone="primary"
              icon={<PlayIcon className="size-4" />}
              busy={busy || measuring !== undefined}
              disabled={none}
              onClick={() => void measure()}
            >
              {t("knowledge.measure")}
            </Button>
          )
        }
      >
        {reports.isPending && <Skeleton rows={1} className="h-20" />}
        {reports.error !== null && <Problem error={reports.error} retry={() => void reports.refetch()} />}
        {measuring !== undefined && (
          <div className="mb-4">
            <p className="mb-1.5 text-sm text-soft" role="status">
              {stageOf(measuring, 0)}
            </p>
            <Progress label={t("knowledge.measure")} share={shareOf(measuring)} />
          </div>
        )}
        {reports.isSuccess && newest === undefined && (
          <p className="max-w-prose text-sm leading-relaxed text-soft">
            {none ? t("knowledge.quality_no_questions") : t("knowledge.quality_never")}
          </p>
        )}
        {newest !== undefined && (
          <>
            <Figures report={newest} history={[...items].reverse()} />
            <Reports items={items} open={setOpened} />
          </>
        )}
      </Card>
      <QuestionSet editable={editable} />
      {editable && <Reindex jobs={jobs} />}
      {opened !== null && <Misses report={opened} onClose={() => setOpened(null)} />}
    </div>
  );
}

const share = (part: number, all: number) => (all === 0 ? null : part / all);

interface Figure {
  name: "found" | "declined" | "lost" | "wrong" | "false";
  of: (report: Evaluation) => number | null;
  /** A number of statements, not a share. */
  count?: boolean;
}
const FIGURES: Figure[] = [
  { name: "found", of: (one) => share(one.ranked_first, one.answerable) },
  { name: "declined", of: (one) => share(one.declined, one.unanswerable) },
  { name: "lost", of: (one) => share(one.lost, one.answerable) },
  { name: "wrong", of: (one) => share(one.wrong, one.answerable) },
  { name: "false", of: (one) => one.false_statements, count: true },
];

function Figures({ report, history }: { report: Evaluation; history: Evaluation[] }) {
  return (
    <dl className="grid grid-cols-2 gap-x-5 gap-y-4 sm:grid-cols-3 lg:grid-cols-5" data-report={report.id}>
      {FIGURES.map(({ name, of, count }) => {
        const value = of(report);
        return (
          <div key={name} className="min-w-0">
            <dt className="text-xs text-soft">{t(`knowledge.figure_${name}`)}</dt>
            <dd className="mt-0.5 flex items-end gap-3">
              <span className="text-xl font-semibold tracking-tight tabular-nums">
                {value === null ? "–" : count === true ? whole(value) : percent(value)}
              </span>
              {history.length > 1 && (
                <span className="w-16">
                  <Bars className="h-6" values={history.map((one) => of(one) ?? 0)} />
                </span>
              )}
            </dd>
            <dd className="mt-0.5 text-xs leading-snug text-faint">{t(`knowledge.figure_${name}_hint`)}</dd>
          </div>
        );
      })}
    </dl>
  );
}

function Reports({ items, open }: { items: readonly Evaluation[]; open: (report: Evaluation) => void }) {
  return (
    <ul className="mt-5 divide-y divide-line border-t border-line">
      {items.map((one) => (
        <li key={one.id} className="flex flex-wrap items-center gap-x-4 gap-y-1 py-2.5 text-sm">
          <span className="min-w-0 flex-1 basis-40">{shortDate(one.at_ms)}</span>
          <span className="text-soft tabular-nums">
            {t("knowledge.report_line", {
              questions: one.answerable + one.unanswerable,
              passages: whole(one.passages),
              found: percent(share(one.ranked_first, one.answerable) ?? 1),
            })}
          </span>
          <Button size="sm" onClick={() => open(one)} disabled={one.misses.length === 0}>
            {t("knowledge.misses", { count: one.misses.length })}
          </Button>
        </li>
      ))}
    </ul>
  );
}

function Misses({ report, onClose }: { report: Evaluation; onClose: () => void }) {
  return (
    <Dialog
      open
      wide
      onClose={onClose}
      title={t("knowledge.misses", { count: report.misses.length })}
      description={t("knowledge.misses_lead")}
    >
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard. */}
      <section aria-label={t("knowledge.misses_lead")} tabIndex={0} className="max-h-[55vh] overflow-y-auto">
        <ul className="divide-y divide-line">
          {report.misses.map((miss) => (
            <li key={miss.question} className="py-3 text-sm" data-miss={miss.question}>
              <Link
                to="/knowledge"
                search={{ tab: "try", question: miss.question }}
                className="font-medium wrap-anywhere hover:underline"
              >
                {miss.question}
              </Link>
              <dl className="mt-1 grid grid-cols-[max-content_minmax(0,1fr)] gap-x-3 gap-y-0.5 text-[0.8125rem]">
                <dt className="text-soft">{t("knowledge.expected")}</dt>
                <dd className="wrap-anywhere">{miss.expected ?? t("knowledge.expected_decline")}</dd>
                <dt className="text-soft">{t("knowledge.got")}</dt>
                <dd className="wrap-anywhere">
                  {wordsOf("knowledge_decisions", miss.decision) ?? miss.decision}
                  {miss.found != null && `: ${miss.found}`}
                </dd>
              </dl>
            </li>
          ))}
        </ul>
      </section>
    </Dialog>
  );
}

/** After another model was chosen, or when somebody wants to be sure. */
function Reindex({ jobs }: { jobs: readonly Job[] }) {
  const [asking, setAsking] = useState(false);
  const { busy, run } = useAction();
  const running = jobs.find((job) => job.kind === "reindex" && isActive(job));
  const start = async () => {
    const done = await run(async () => {
      const { data } = await api.POST("/api/v1/knowledge/reindex", {});
      if (data !== undefined) jobAccepted(data);
    });
    if (done) setAsking(false);
  };
  return (
    <Card
      title={t("knowledge.index")}
      actions={
        <Button size="sm" busy={running !== undefined} onClick={() => setAsking(true)}>
          {t("knowledge.reindex")}
        </Button>
      }
    >
      <p className="max-w-prose text-sm leading-relaxed text-soft">{t("knowledge.index_text")}</p>
      {running !== undefined && (
        <div className="mt-3">
          <p className="mb-1.5 text-sm text-soft" role="status">
            {stageOf(running, 0)}
          </p>
          <Progress label={t("knowledge.reindex")} share={shareOf(running)} />
        </div>
      )}
      <EmbeddingChoice />
      <Confirm
        open={asking}
        title={t("knowledge.reindex_title")}
        action={t("knowledge.reindex")}
        busy={busy}
        onConfirm={() => void start()}
        onClose={() => setAsking(false)}
      >
        {t("knowledge.reindex_text")}
      </Confirm>
    </Card>
  );
}
