import { useNavigate, useSearch } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { $api, api } from "../../api/client";
import type { components } from "../../api/schema.gen";
import { t, wordsOf } from "../../i18n";
import { percent, whole } from "../../ui/format";
import { CheckIcon, PlusIcon, QuestionIcon, SearchIcon, WarnIcon } from "../../ui/icons";
import { useAction } from "../../ui/kit/action";
import { Button } from "../../ui/kit/button";
import { Badge, type BadgeTone, Card, Empty, Problem, Skeleton } from "../../ui/kit/page";
import { toast } from "../../ui/kit/toast";
import { PairsDialog } from "./add-pairs";
import { Said } from "./conflicts";
import { Gate } from "./gate";
import { refreshKnowledge } from "./jobs";

type Answer = components["schemas"]["KnowledgeAnswer"];
type Candidate = components["schemas"]["KnowledgeCandidate"];

const QUESTION_CHARS_MAX = 500;
const EXAMPLES_MAX = 5;
/** What the two models can say at most and at least, for the bars. */
const MEANING_MAX = 2;
const READING_MAX = 11;

/** A question as a caller would ask it: what is found, how it is ranked, and what the gate decides. */
export function TryTab({ editable }: { editable: boolean }) {
  const { question } = useSearch({ from: "/app/knowledge" });
  const navigate = useNavigate();
  const [typed, setTyped] = useState(question ?? "");
  const ask = (wanted: string) => {
    setTyped(wanted);
    void navigate({ to: "/knowledge", search: { tab: "try", question: wanted }, replace: true });
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (typed.trim() !== "") ask(typed.trim());
  };
  return (
    <>
      <form onSubmit={submit} className="mb-5 flex flex-wrap gap-2">
        <label className="relative min-w-0 flex-1 basis-64">
          <span className="sr-only">{t("knowledge.ask")}</span>
          <SearchIcon className="pointer-events-none absolute top-3 left-3.5 size-5 text-faint" />
          <input
            type="search"
            value={typed}
            onChange={(event) => setTyped(event.target.value)}
            maxLength={QUESTION_CHARS_MAX}
            placeholder={t("knowledge.ask_placeholder")}
            className="h-11 w-full rounded-xl border border-field bg-card pr-3 pl-11 text-[0.9375rem] placeholder:text-faint"
          />
        </label>
        <Button type="submit" tone="primary" size="lg">
          {t("knowledge.ask_button")}
        </Button>
      </form>
      {question === undefined ? (
        <Examples ask={ask} />
      ) : (
        <Result key={question} question={question} editable={editable} />
      )}
    </>
  );
}

/** What customers asked, and what is known to be right: the best questions to begin with. */
function Examples({ ask }: { ask: (question: string) => void }) {
  const gaps = $api.useQuery("get", "/api/v1/knowledge/gaps", {}).data?.items ?? [];
  const questions =
    $api.useQuery("get", "/api/v1/knowledge/questions", { params: { query: { limit: EXAMPLES_MAX } } }).data?.items ??
    [];
  const all = [...new Set([...questions, ...gaps].map(({ question }) => question))].slice(0, EXAMPLES_MAX);
  return (
    <Empty
      icon={<SearchIcon />}
      title={t("knowledge.try_title")}
      action={all.map((question) => (
        <Button key={question} size="sm" className="max-w-full" onClick={() => ask(question)}>
          <span className="truncate">{question}</span>
        </Button>
      ))}
    >
      {t("knowledge.try_text")}
    </Empty>
  );
}

const DECISIONS: Record<string, { tone: BadgeTone; look: string }> = {
  answer: { tone: "good", look: "border-good/40" },
  closest: { tone: "warn", look: "border-warn/40" },
  decline: { tone: "bad", look: "border-danger/40" },
};

function Result({ question, editable }: { question: string; editable: boolean }) {
  const query = $api.useQuery(
    "post",
    "/api/v1/knowledge/query",
    { body: { question } },
    { retry: false, staleTime: 30_000 },
  );
  const [answering, setAnswering] = useState(false);
  const { busy, run } = useAction();
  if (query.isPending) return <Skeleton rows={3} className="h-28" />;
  if (query.error !== null) return <Problem error={query.error} retry={() => void query.refetch()} />;
  const answer = query.data;
  const expect = (expected: string | null) =>
    run(async () => {
      await api.POST("/api/v1/knowledge/questions", { body: { questions: [{ question, expected }] } });
      refreshKnowledge();
      toast(t("knowledge.question_added"));
    });
  return (
    <div className="flex flex-col gap-4" data-decision={answer.decision}>
      <Decision answer={answer} />
      <Facts answer={answer} />
      <Card
        title={t("knowledge.candidates")}
        actions={
          <span className="text-xs text-soft tabular-nums">
            {t("knowledge.searched", { passages: whole(answer.passages), ms: whole(answer.took_ms) })}
          </span>
        }
      >
        <p className="-mt-1 mb-3 max-w-prose text-[0.8125rem] leading-relaxed text-soft">
          {t("knowledge.candidates_text")}
        </p>
        {answer.candidates.length === 0 && <p className="text-sm text-soft">{t("knowledge.no_candidates")}</p>}
        <ol className="flex flex-col divide-y divide-line">
          {answer.candidates.map((candidate, index) => (
            <CandidateRow
              // biome-ignore lint/suspicious/noArrayIndexKey: a candidate is its rank.
              key={index}
              rank={index + 1}
              candidate={candidate}
              best={answer.candidates[0]?.score ?? 1}
              {...(editable ? { expect: () => void expect(headingOf(candidate)), busy } : {})}
            />
          ))}
        </ol>
      </Card>
      {editable && (
        <div className="flex flex-wrap items-center gap-2">
          <span className="mr-1 text-sm text-soft">{t("knowledge.not_right")}</span>
          <Button size="sm" icon={<PlusIcon className="size-4" />} onClick={() => setAnswering(true)}>
            {t("knowledge.write_answer")}
          </Button>
          <Button size="sm" disabled={busy} onClick={() => void expect(null)}>
            {t("knowledge.must_decline")}
          </Button>
        </div>
      )}
      {answering && <PairsDialog question={question} onClose={() => setAnswering(false)} />}
    </div>
  );
}

/** What an evaluation compares: the heading, or the document where there is none. */
const headingOf = ({ heading, document }: Candidate) => (heading === "" ? document : heading);

function Decision({ answer }: { answer: Answer }) {
  const { tone, look } = DECISIONS[answer.decision] ?? { tone: "plain" as const, look: "border-line" };
  const values = {
    probability: percent(answer.probability),
    answer: percent(answer.answer_from),
    closest: percent(answer.closest_from),
  };
  return (
    <section className={`rounded-2xl border bg-card p-4 sm:p-5 ${look}`}>
      <div className="flex flex-wrap items-center gap-2.5">
        {answer.decision === "answer" ? (
          <CheckIcon className="size-5 text-good" />
        ) : answer.decision === "closest" ? (
          <QuestionIcon className="size-5 text-warn" />
        ) : (
          <WarnIcon className="size-5 text-danger" />
        )}
        <h2 className="text-[0.9375rem] font-semibold">
          {wordsOf("knowledge_decisions", answer.decision) ?? answer.decision}
        </h2>
        <Badge tone={tone}>{t("knowledge.sure", { probability: percent(answer.probability) })}</Badge>
      </div>
      <p className="mt-1.5 max-w-prose text-sm leading-relaxed text-soft">
        {wordsOf("knowledge_why", answer.decision, values) ?? ""}
      </p>
      {answer.said != null && (
        <figure className="mt-4 rounded-xl bg-sunken px-4 py-3">
          <blockquote className="text-sm leading-relaxed wrap-anywhere" data-said>
            {answer.said.quote}
          </blockquote>
          <figcaption className="mt-1.5 text-xs text-soft wrap-anywhere">
            {[
              answer.said.document,
              answer.said.heading,
              answer.said.page == null ? "" : t("knowledge.page", { page: answer.said.page }),
            ]
              .filter((part) => part !== "")
              .join(" › ")}
          </figcaption>
        </figure>
      )}
      <div className="mt-4 max-w-xl">
        <Gate probability={answer.probability} closestFrom={answer.closest_from} answerFrom={answer.answer_from} />
      </div>
    </section>
  );
}

/** What of the graph answered or helped. */
function Facts({ answer: { facts } }: { answer: Answer }) {
  if (facts === undefined || facts.length === 0) return null;
  return (
    <Card title={t("graph.facts")}>
      <ul className="flex flex-col gap-2 text-sm">
        {facts.map((fact) => (
          <li key={fact.id}>
            <span className="font-medium">{fact.subject_name}</span>{" "}
            <span className="text-soft">
              {fact.negated ? t("graph.not", { predicate: fact.predicate }) : fact.predicate}
            </span>{" "}
            <span className="font-medium">{fact.value}</span>
            <Said relation={fact} />
          </li>
        ))}
      </ul>
    </Card>
  );
}

function CandidateRow({
  rank,
  candidate,
  best,
  expect,
  busy,
}: {
  rank: number;
  candidate: Candidate;
  best: number;
  expect?: () => void;
  busy?: boolean;
}) {
  const { meaning, reading, score } = candidate;
  return (
    <li className="flex flex-wrap items-start gap-x-5 gap-y-3 py-3.5 first:pt-0 last:pb-0" data-candidate={rank}>
      <span className="grid size-6 shrink-0 place-items-center rounded-full bg-sunken text-xs font-semibold tabular-nums">
        {rank}
      </span>
      <div className="min-w-0 flex-1 basis-72">
        <p className="text-sm font-medium wrap-anywhere">{headingOf(candidate)}</p>
        <p className="text-xs text-soft wrap-anywhere">
          {candidate.document}
          {candidate.page != null && ` · ${t("knowledge.page", { page: candidate.page })}`}
        </p>
        <p className="mt-1.5 line-clamp-4 text-sm leading-relaxed text-soft wrap-anywhere">{candidate.text}</p>
        {expect !== undefined && (
          <Button
            size="sm"
            tone="ghost"
            className="mt-1.5 -ml-2.5"
            icon={<CheckIcon className="size-4" />}
            disabled={busy === true}
            onClick={expect}
          >
            {t("knowledge.is_right")}
            <span className="sr-only">{t("knowledge.candidate", { rank })}</span>
          </Button>
        )}
      </div>
      <dl className="grid w-full gap-1.5 text-xs sm:w-52">
        <Score label={t("knowledge.meaning")} value={meaning} share={meaning / MEANING_MAX} />
        <Score label={t("knowledge.reranked")} value={reading} share={(reading + READING_MAX) / (2 * READING_MAX)} />
        <Score label={t("knowledge.score")} value={score} share={best > 0 ? score / best : 0} strong />
      </dl>
    </li>
  );
}

function Score({ label, value, share, strong }: { label: string; value: number; share: number; strong?: boolean }) {
  const width = Math.min(1, Math.max(0.01, share)) * 100;
  return (
    <div className="grid grid-cols-[5.5rem_minmax(0,1fr)_2.75rem] items-center gap-2">
      <dt className={strong ? "font-medium" : "text-soft"}>{label}</dt>
      <dd className="h-1.5 overflow-hidden rounded-full bg-sunken" aria-hidden="true">
        <span
          className={`block h-full rounded-full ${strong ? "bg-accent" : "bg-faint"}`}
          style={{ width: `${width}%` }}
        />
      </dd>
      <dd className={`text-right tabular-nums ${strong ? "font-medium" : "text-soft"}`}>{value.toFixed(2)}</dd>
    </div>
  );
}
