import type { ReactNode } from "react";
import { t, wordsOf } from "../../i18n";
import { bytes } from "../../lib/bytes";
import { percent } from "../../ui/format";
import { CheckIcon, CloseIcon, WarnIcon } from "../../ui/icons";
import { Button, IconButton, Spinner } from "../../ui/kit/button";
import { Progress } from "../../ui/kit/progress";
import { isActive, type Job, type JobDocument } from "./jobs";
import { dismiss as dismissUpload, type Refused, retry, type Sending, useUploads } from "./uploads";
import { reasonWords } from "./words";

/** A crawl looks at hundreds of pages; what was refused is listed up to here, and counted beyond. */
const REASONS_SHOWN_MAX = 6;

/** What is under way: files on their way to the server, then what the server does with them. */
export function Work({ work, dismiss }: { work: readonly Job[]; dismiss: (id: string) => void }) {
  const { sending, refused } = useUploads();
  if (work.length + sending.length + refused.length === 0) return null;
  return (
    <section
      aria-label={t("knowledge.work")}
      className="mb-5 overflow-hidden rounded-2xl border border-line bg-card"
      data-work
    >
      <ul className="divide-y divide-line">
        {sending.map((one) => (
          <SendingRow key={one.id} sending={one} />
        ))}
        {refused.map((one) => (
          <RefusedRow key={one.id} refused={one} />
        ))}
        {work.map((job) => (
          <JobRow key={job.id} job={job} dismiss={() => dismiss(job.id)} />
        ))}
      </ul>
    </section>
  );
}

function Row({
  mark,
  title,
  stage,
  actions,
  children,
  state,
}: {
  mark: ReactNode;
  title: string;
  stage: string;
  actions?: ReactNode;
  children?: ReactNode;
  state: string;
}) {
  return (
    <li className="flex items-start gap-3 px-4 py-3 text-sm" data-work-state={state}>
      <span className="mt-0.5 grid size-5 shrink-0 place-items-center">{mark}</span>
      <div className="min-w-0 flex-1">
        <p className="flex flex-wrap items-baseline gap-x-2">
          <span className="font-medium wrap-anywhere">{title}</span>
          <span className="text-soft" role="status">
            {stage}
          </span>
        </p>
        {children}
      </div>
      {actions}
    </li>
  );
}

const working = (
  <span className="text-accent-deep">
    <Spinner />
  </span>
);

function SendingRow({ sending }: { sending: Sending }) {
  const names = sending.files.map(({ name }) => name);
  const title = names.length === 1 ? (names[0] ?? "") : t("knowledge.files", { count: names.length });
  const share = sending.bytes === 0 ? 0 : sending.sent / sending.bytes;
  const failed = sending.state === "failed";
  const stage = {
    waiting: t("knowledge.upload_waiting"),
    sending: t("knowledge.sending", { percent: percent(Math.min(1, share)), size: bytes(sending.bytes) }),
    failed: t("knowledge.upload_failed"),
  }[sending.state];
  return (
    <Row
      state={sending.state}
      mark={failed ? <WarnIcon className="size-5 text-danger" /> : working}
      title={title}
      stage={stage}
      actions={
        <span className="flex gap-1">
          {failed && (
            <Button size="sm" onClick={() => retry(sending.id)}>
              {t("shell.retry")}
            </Button>
          )}
          <Dismiss
            label={failed ? t("knowledge.dismiss") : t("knowledge.stop_upload")}
            onClick={() => dismissUpload(sending.id)}
          />
        </span>
      }
    >
      {failed ? (
        <p className="text-soft wrap-anywhere">{sending.error?.message}</p>
      ) : (
        <div className="mt-2">
          <Progress label={t("knowledge.upload_of", { name: title })} share={share} />
        </div>
      )}
    </Row>
  );
}

function RefusedRow({ refused }: { refused: Refused }) {
  return (
    <Row
      state="refused"
      mark={<WarnIcon className="size-5 text-danger" />}
      title={refused.name}
      stage={t("knowledge.not_sent")}
      actions={<Dismiss label={t("knowledge.dismiss")} onClick={() => dismissUpload(refused.id)} />}
    >
      <p className="text-soft">{reasonWords(refused.code, null)}</p>
    </Row>
  );
}

function Dismiss({ label, onClick }: { label: string; onClick: () => void }) {
  return (
    <IconButton label={label} size="sm" onClick={onClick}>
      <CloseIcon className="size-3.5" />
    </IconButton>
  );
}

function JobRow({ job, dismiss }: { job: Job; dismiss: () => void }) {
  const refused = job.documents.filter(({ state }) => state === "failed");
  const active = isActive(job);
  const bad = job.state === "failed" || refused.length > 0;
  return (
    <Row
      state={job.state}
      mark={
        active ? (
          working
        ) : bad ? (
          <WarnIcon className={`size-5 ${job.state === "failed" ? "text-danger" : "text-warn"}`} />
        ) : (
          <CheckIcon className="size-5 text-good" />
        )
      }
      title={titleOf(job)}
      stage={stageOf(job, refused.length)}
      actions={active ? undefined : <Dismiss label={t("knowledge.dismiss")} onClick={dismiss} />}
    >
      {active && (
        <div className="mt-2">
          <Progress label={titleOf(job)} share={shareOf(job)} />
        </div>
      )}
      {job.error_code != null && <p className="text-soft wrap-anywhere">{reasonWords(job.error_code, job.error)}</p>}
      <Reasons refused={refused} />
    </Row>
  );
}

function Reasons({ refused }: { refused: readonly JobDocument[] }) {
  if (refused.length === 0) return null;
  return (
    <ul className="mt-1.5 flex flex-col gap-1">
      {refused.slice(0, REASONS_SHOWN_MAX).map((one) => (
        <li key={one.name} className="text-[0.8125rem] leading-snug" data-refused={one.name}>
          <span className="font-medium wrap-anywhere">{one.name}</span>{" "}
          <span className="text-soft wrap-anywhere">
            {one.error_code === "left_out" && one.error != null
              ? t("knowledge.left_out", { reason: one.error })
              : reasonWords(one.error_code, one.error)}
          </span>
        </li>
      ))}
      {refused.length > REASONS_SHOWN_MAX && (
        <li className="text-[0.8125rem] text-soft">
          {t("knowledge.more_refused", { count: refused.length - REASONS_SHOWN_MAX })}
        </li>
      )}
    </ul>
  );
}

export function titleOf(job: Job): string {
  if (job.kind === "evaluation" || job.kind === "reindex" || job.kind === "training") {
    return wordsOf("knowledge_jobs", job.kind) ?? job.kind;
  }
  if (job.documents.length > 1 && job.kind === "documents") {
    return t("knowledge.files", { count: job.documents.length });
  }
  return job.source;
}

/** The document under way counts by its passages. */
export function shareOf(job: Job): number | null {
  if (job.state === "queued" || job.total === 0) return null;
  const part = job.chunks_total > 0 && job.done < job.total ? job.chunks_done / job.chunks_total : 0;
  return (job.done + part) / job.total;
}

export function stageOf(job: Job, refused: number): string {
  if (job.state === "queued") return t("knowledge.queued");
  if (job.state === "failed") return t("knowledge.job_failed");
  if (job.state === "done") return outcome(job, refused);
  if (job.total === 0) return t("knowledge.begins");
  if (job.kind === "crawl") return t("knowledge.crawling", { done: job.done, total: job.total });
  if (job.kind === "evaluation") return t("knowledge.asking", { done: job.done, total: job.total });
  if (job.kind === "training") return t("knowledge.training");
  const passages = { done: job.chunks_done, total: job.chunks_total };
  if (job.kind === "reindex") {
    return job.chunks_total > 0
      ? t("knowledge.indexing", passages)
      : t("knowledge.reindexing", { done: job.done, total: job.total });
  }
  const name = job.documents.find(({ state }) => state === "waiting")?.name ?? job.source;
  if (job.chunks_total > 0 && job.chunks_done < job.chunks_total) return t("knowledge.indexing", passages);
  return job.documents.length > 1
    ? t("knowledge.reading_one", { name, done: job.done + 1, total: job.total })
    : t("knowledge.reading");
}

function outcome(job: Job, refused: number): string {
  if (job.kind === "evaluation") return t("knowledge.evaluated", { count: job.total });
  if (job.kind === "reindex") return t("knowledge.reindexed");
  if (job.kind === "training") return t("knowledge.trained");
  const count = (state: string) => job.documents.filter((one) => one.state === state).length;
  const parts = [
    [count("ready"), "taken"] as const,
    [count("unchanged"), "unchanged"] as const,
    [count("gone"), "gone"] as const,
    [count("heard"), "heard"] as const,
    [job.documents.reduce((sum, { proposals }) => sum + proposals, 0), "proposed"] as const,
    [refused, "refused"] as const,
  ];
  const words = parts.filter(([n]) => n > 0).map(([n, name]) => t(`knowledge.outcome_${name}`, { count: n }));
  return words.length === 0 ? t("knowledge.nothing_new") : words.join(" · ");
}
