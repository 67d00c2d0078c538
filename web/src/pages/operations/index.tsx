import type { ReactNode } from "react";
import { asApiError } from "../../api/problem";
import { useCan } from "../../auth/me";
import { formatMs } from "../../call/latency";
import { plainWords } from "../../call/words";
import { t, wordsOf } from "../../i18n";
import { whole } from "../../ui/format";
import { CheckIcon, NodesIcon } from "../../ui/icons";
import { Badge, Card, Empty, Page, Problem, Skeleton } from "../../ui/kit/page";
import { Line } from "../../ui/sparkline";
import { quantile, type Sample, total, totalsBy } from "./metrics";
import { NodesCard } from "./nodes";
import { ProvidersHealth } from "./providers";
import { type Look, useLooks, useReady } from "./use-node";

/** The caller's silence from which on an answer is late, as for every other page. */
const LATE_MS = 1_000;

/** For whoever runs the installation: does this node work, who fails, what waits. */
export default function OperationsPage() {
  const can = useCan();
  if (!can("installation:manage")) {
    return (
      <Page title={t("operations.title")}>
        <Empty icon={<NodesIcon />} title={t("shell.not_allowed")}>
          {t("operations.not_allowed")}
        </Empty>
      </Page>
    );
  }
  return (
    <Page title={t("operations.title")} lead={t("operations.lead")}>
      <Node />
    </Page>
  );
}

function Node() {
  const looks = useLooks();
  const now = looks.data?.at(-1)?.samples;
  return (
    <>
      {looks.error !== null && <Problem error={looks.error} retry={() => void looks.refetch()} />}
      {looks.isPending && <Skeleton rows={3} className="h-32" />}
      {looks.data !== undefined && now !== undefined && (
        <>
          <Figures looks={looks.data} now={now} />
          <div className="mt-4 grid gap-4 lg:grid-cols-2">
            <Queues now={now} />
            <Errors looks={looks.data} now={now} />
          </div>
        </>
      )}
      <div className="mt-4">
        <NodesCard />
      </div>
      <div className="mt-4">
        <ProvidersHealth />
      </div>
    </>
  );
}

function Figures({ looks, now }: { looks: Look[]; now: Sample[] }) {
  const ready = useReady();
  const heard = { stage: "heard" };
  const seconds = (value: number | null) => (value === null ? "–" : formatMs(Math.round(value * 1000)));
  const p95 = quantile(now, "frontdesk_turn_latency_seconds", 0.95, heard);
  const active = total(now, "frontdesk_calls_active");
  const away = total(now, "frontdesk_shared_away") > 0;
  return (
    <div className="grid grid-cols-2 gap-3 sm:gap-4 lg:grid-cols-4">
      <Tile
        name={t("operations.node")}
        value={
          <span data-ready={ready.isSuccess}>
            {ready.isPending ? "–" : t(ready.isSuccess ? "operations.ready" : "operations.not_ready")}
          </span>
        }
        tone={ready.isError ? "bad" : "plain"}
        note={
          ready.isError
            ? asApiError(ready.error).message
            : t("operations.handed_over", { count: total(now, "frontdesk_calls_handed_over_total") })
        }
      />
      <Tile
        name={t("operations.calls")}
        value={whole(active)}
        note={t("operations.calls_note", {
          begun: whole(total(now, "frontdesk_calls_total")),
          refused: whole(total(now, "frontdesk_calls_refused_total")),
        })}
      >
        <Line values={looks.map(({ samples }) => total(samples, "frontdesk_calls_active"))} />
      </Tile>
      <Tile
        name={t("operations.answers")}
        value={seconds(p95)}
        tone={p95 !== null && p95 * 1000 > LATE_MS ? "late" : "plain"}
        note={t("operations.answers_note", {
          p50: seconds(quantile(now, "frontdesk_turn_latency_seconds", 0.5, heard)),
          count: total(now, "frontdesk_turn_latency_seconds_count", heard),
        })}
      />
      <Tile
        name={t("operations.requests")}
        value={seconds(quantile(now, "frontdesk_http_request_seconds", 0.95))}
        note={t("operations.requests_note", {
          count: whole(total(now, "frontdesk_http_request_seconds_count")),
          followers: whole(total(now, "frontdesk_event_followers")),
        })}
      >
        <Line values={rates(looks, "frontdesk_http_request_seconds_count")} />
      </Tile>
      {away && (
        <div className="col-span-full">
          <Badge tone="warn">{t("operations.shared_away")}</Badge>
        </div>
      )}
    </div>
  );
}

/** How much a counter grew from one look to the next. */
function rates(looks: Look[], name: string): number[] {
  const values = looks.map(({ samples }) => total(samples, name));
  return values.slice(1).map((value, at) => Math.max(0, value - (values[at] as number)));
}

function Tile({
  name,
  value,
  note,
  tone = "plain",
  children,
}: {
  name: string;
  value: ReactNode;
  note: string;
  tone?: "plain" | "late" | "bad";
  children?: ReactNode;
}) {
  const tones = { plain: "", late: "text-warn", bad: "text-danger" };
  return (
    <dl className="flex flex-col rounded-2xl border border-line bg-card p-4">
      <dt className="text-[0.8125rem] text-soft">{name}</dt>
      <dd className={`mt-1 text-2xl font-semibold tracking-tight tabular-nums ${tones[tone]}`}>{value}</dd>
      <dd className="mt-0.5 text-xs leading-snug text-soft">{note}</dd>
      {children !== undefined && <dd className="mt-auto pt-2">{children}</dd>}
    </dl>
  );
}

/** What waits to be done after calls, and what was given up. */
function Queues({ now }: { now: Sample[] }) {
  const kinds = totalsBy(now, "frontdesk_jobs", "kind").map(([kind]) => kind);
  const recordings = total(now, "frontdesk_recordings_waiting");
  const count = (kind: string, state: string) => total(now, "frontdesk_jobs", { kind, state });
  return (
    <Card title={t("operations.queues")}>
      <table className="w-full text-sm">
        <thead className="text-left text-[0.8125rem] text-soft">
          <tr>
            <th scope="col" className="pb-1.5 font-medium">
              {t("operations.job")}
            </th>
            {(["waiting", "running", "dead"] as const).map((state) => (
              <th key={state} scope="col" className="pb-1.5 pl-3 text-right font-medium">
                {t(`operations.job_${state}`)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody className="divide-y divide-line">
          {kinds.map((kind) => (
            <tr key={kind}>
              <th scope="row" className="py-1.5 text-left font-normal">
                {wordsOf("job_kinds", kind.replaceAll(".", "_")) ?? plainWords(kind.replaceAll(".", " "))}
              </th>
              <td className="py-1.5 pl-3 text-right tabular-nums">{whole(count(kind, "waiting"))}</td>
              <td className="py-1.5 pl-3 text-right tabular-nums">{whole(count(kind, "running"))}</td>
              <td className={`py-1.5 pl-3 text-right tabular-nums ${count(kind, "dead") > 0 ? "text-danger" : ""}`}>
                {whole(count(kind, "dead"))}
              </td>
            </tr>
          ))}
          <tr>
            <th scope="row" className="py-1.5 text-left font-normal">
              {t("operations.recordings")}
            </th>
            <td className="py-1.5 pl-3 text-right tabular-nums">{whole(recordings)}</td>
            <td />
            <td />
          </tr>
        </tbody>
      </table>
      {kinds.length === 0 && <p className="mt-2 text-[0.8125rem] text-soft">{t("operations.no_jobs")}</p>}
    </Card>
  );
}

/** Counters that stand for something that went wrong; docs/metrics.md has them all. */
const TROUBLES: { name: string; key: Trouble; wanted?: Record<string, RegExp | string>; by?: string }[] = [
  { name: "frontdesk_provider_errors_total", key: "provider_errors", by: "provider" },
  { name: "frontdesk_faults_total", key: "faults", by: "stage" },
  { name: "frontdesk_failovers_total", key: "failovers", by: "stage" },
  { name: "frontdesk_playout_underruns_total", key: "underruns" },
  { name: "frontdesk_calls_refused_total", key: "refused_calls" },
  { name: "frontdesk_calls_over_plan_total", key: "over_plan" },
  { name: "frontdesk_engine_inputs_overflow_total", key: "overflow" },
  { name: "frontdesk_audio_in_dropped_frames_total", key: "dropped_frames" },
  { name: "frontdesk_recording_failures_total", key: "recordings" },
  { name: "frontdesk_media_violations_total", key: "media", by: "carrier" },
  { name: "frontdesk_webhooks_refused_total", key: "webhooks_refused", by: "outcome" },
  { name: "frontdesk_webhook_attempts_total", key: "webhooks_failed", wanted: { outcome: "failed" } },
  { name: "frontdesk_jobs_total", key: "jobs_dead", wanted: { outcome: "dead" }, by: "kind" },
  { name: "frontdesk_http_request_seconds_count", key: "http_errors", wanted: { status: /^5/ }, by: "route" },
  { name: "frontdesk_http_rate_limited_total", key: "rate_limited" },
  { name: "frontdesk_node_beats_failed_total", key: "beats" },
  { name: "frontdesk_shared_losses_total", key: "shared" },
  { name: "frontdesk_audit_lines_lost_total", key: "audit" },
  { name: "frontdesk_log_lines_dropped_total", key: "log" },
];
type Trouble =
  | "provider_errors"
  | "faults"
  | "failovers"
  | "underruns"
  | "refused_calls"
  | "over_plan"
  | "overflow"
  | "dropped_frames"
  | "recordings"
  | "media"
  | "webhooks_refused"
  | "webhooks_failed"
  | "jobs_dead"
  | "http_errors"
  | "rate_limited"
  | "beats"
  | "shared"
  | "audit"
  | "log";

function Errors({ looks, now }: { looks: Look[]; now: Sample[] }) {
  const first = looks[0]?.samples ?? now;
  const rows = TROUBLES.map((trouble) => ({
    ...trouble,
    count: total(now, trouble.name, trouble.wanted),
    lately: total(now, trouble.name, trouble.wanted) - total(first, trouble.name, trouble.wanted),
  })).filter(({ count }) => count > 0);
  return (
    <Card title={t("operations.errors")}>
      {rows.length === 0 && (
        <p className="flex items-center gap-2.5 py-1 text-sm text-soft">
          <CheckIcon className="size-4.5 text-good" />
          {t("operations.no_errors")}
        </p>
      )}
      <ul className="flex flex-col divide-y divide-line">
        {rows
          .toSorted((a, b) => b.lately - a.lately || b.count - a.count)
          .map(({ key, name, wanted, by, count, lately }) => (
            <li
              key={key}
              data-trouble-kind={key}
              className="flex items-baseline gap-3 py-2 text-sm first:pt-0 last:pb-0"
            >
              <span className="min-w-0 flex-1">
                {t(`troubles.${key}`)}
                {by !== undefined && (
                  <span className="block truncate text-xs text-soft">
                    {totalsBy(now, name, by, wanted)
                      .slice(0, 4)
                      .map(([value, part]) => `${plainWords(value)} ${whole(part)}`)
                      .join(" · ")}
                  </span>
                )}
              </span>
              {lately > 0 && <Badge tone="warn">{t("operations.lately", { count: lately })}</Badge>}
              <span className="tabular-nums">{whole(count)}</span>
            </li>
          ))}
      </ul>
    </Card>
  );
}
