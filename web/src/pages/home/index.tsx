import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { $api } from "../../api/client";
import type { components } from "../../api/schema.gen";
import { useCan } from "../../auth/me";
import { formatMs } from "../../call/latency";
import { t } from "../../i18n";
import { useLiveCount } from "../../live/use-live";
import { dollars, longTime, percent, whole } from "../../ui/format";
import { CallsIcon, CompassIcon, MicIcon } from "../../ui/icons";
import { LinkButton } from "../../ui/kit/button";
import { Card, Empty, Page, Problem, Skeleton } from "../../ui/kit/page";
import { Bars, Line } from "../../ui/sparkline";
import { CallList } from "../calls/call-list";
import { Alerts } from "./alerts";

type Overview = components["schemas"]["Overview"];
type CallTotals = components["schemas"]["CallTotals"];

const LATEST = 6;
/** Of the sparklines, and of what today is compared with. */
const DAYS = 14;
/** The caller's silence from which on an answer is late. */
const LATE_MS = 1_000;

export default function HomePage() {
  const can = useCan();
  const enabled = can("calls:read");
  const overview = $api.useQuery("get", "/api/v1/overview", { params: { query: { days: DAYS } } }, { enabled });
  const latest = $api.useQuery("get", "/api/v1/calls", { params: { query: { limit: LATEST } } }, { enabled });
  return (
    <Page
      title={t("home.title")}
      lead={t("home.lead")}
      actions={
        <>
          {can("agents:write") && (
            <LinkButton to="/start" icon={<CompassIcon className="size-4" />}>
              {t("shell.start")}
            </LinkButton>
          )}
          {can("calls:place") && (
            <LinkButton to="/talk" tone="primary" icon={<MicIcon className="size-4" />}>
              {t("home.talk")}
            </LinkButton>
          )}
        </>
      }
    >
      {overview.error !== null && <Problem error={overview.error} retry={() => void overview.refetch()} />}
      <Figures overview={overview.data} />
      <div className="mt-4 grid items-start gap-4 lg:grid-cols-[minmax(0,2fr)_minmax(0,1fr)]">
        <Card
          title={t("home.latest")}
          actions={
            <Link to="/calls" className="text-sm font-medium text-accent-deep underline-offset-4 hover:underline">
              {t("home.all_calls")}
            </Link>
          }
        >
          {latest.isPending && enabled && <Skeleton rows={3} />}
          {latest.data?.items.length === 0 && (
            <Empty
              icon={<CallsIcon />}
              title={t("home.no_calls_yet")}
              action={
                <LinkButton to="/talk" icon={<MicIcon className="size-4" />}>
                  {t("home.talk")}
                </LinkButton>
              }
            >
              {t("home.no_calls_help")}
            </Empty>
          )}
          {latest.data !== undefined && <CallList calls={latest.data.items} />}
        </Card>
        <Alerts />
      </div>
    </Page>
  );
}

function Figures({ overview }: { overview: Overview | undefined }) {
  const can = useCan();
  const today = overview?.today;
  const days = overview?.days ?? [];
  const month = useMonth();
  const rang = (of: CallTotals) => of.answered + of.missed;
  return (
    <div className="grid grid-cols-2 gap-3 sm:gap-4 lg:grid-cols-4">
      <LiveNow />
      <Figure
        name={t("home.calls_today")}
        value={today && whole(today.calls)}
        note={today && t("home.talk_time", { time: longTime(today.talk_ms) })}
      >
        <Bars values={days.map(({ calls }) => calls)} />
      </Figure>
      <Figure
        name={t("home.time_to_answer")}
        value={today && (today.wait_p50_ms == null ? "–" : formatMs(today.wait_p50_ms))}
        tone={(today?.wait_p50_ms ?? 0) > LATE_MS ? "late" : "plain"}
        note={
          today &&
          (today.wait_p95_ms == null
            ? t("home.no_answers")
            : t("home.p95_of", { p95: formatMs(today.wait_p95_ms), count: today.waits }))
        }
      >
        <Line values={days.flatMap(({ wait_p50_ms }) => wait_p50_ms ?? [])} />
      </Figure>
      {today?.cost_usd_micros == null && today !== undefined ? (
        <Figure
          name={t("home.missed")}
          value={whole(today.missed)}
          note={t("home.of_calls", ofCalls(today.missed, rang(today)))}
        >
          <Bars values={days.map(({ missed }) => missed)} />
        </Figure>
      ) : (
        <Figure
          name={t("home.cost_today")}
          value={today && dollars(today.cost_usd_micros ?? 0)}
          note={
            overview && t("home.cost_days", { cost: dollars(overview.period.cost_usd_micros ?? 0), days: days.length })
          }
        >
          <Bars values={days.map(({ cost_usd_micros }) => cost_usd_micros ?? 0)} />
        </Figure>
      )}
      <Share
        name={t("home.answered")}
        overview={overview}
        of={(totals) => [totals.answered, rang(totals)]}
        words={(part, count) => t("home.of_calls", { part, count })}
      />
      <Share
        name={t("home.contained")}
        overview={overview}
        of={(totals) => [totals.contained, totals.answered]}
        words={(part, count) => t("home.contained_note", { part, count })}
      />
      <Share
        name={t("home.transferred")}
        overview={overview}
        of={(totals) => [totals.transferred, totals.answered]}
        words={(part, count) => t("home.transferred_note", { part, count })}
      />
      <Figure
        name={t("home.month")}
        value={can("usage:read") ? month && whole(month.total.calls) : "–"}
        note={
          month?.calls_limit == null ? t("home.month_note") : t("home.month_limit", { limit: whole(month.calls_limit) })
        }
        share={month?.calls_limit == null ? null : [month.total.calls, month.calls_limit]}
      />
    </div>
  );
}

const ofCalls = (part: number, count: number) => ({ part, count });

/** A part of today's calls, and what it was over the last days. */
function Share({
  name,
  overview,
  of,
  words,
}: {
  name: string;
  overview: Overview | undefined;
  of: (totals: CallTotals) => [part: number, all: number];
  words: (part: number, count: number) => string;
}) {
  if (overview === undefined) return <Figure name={name} value={undefined} note={undefined} />;
  const [part, all] = of(overview.today);
  const [partOfDays, allOfDays] = of(overview.period);
  const days = overview.days.length;
  const usual = allOfDays === 0 ? "" : t("home.share_days", { share: percent(partOfDays / allOfDays), days });
  return (
    <Figure
      name={name}
      value={all === 0 ? "–" : percent(part / all)}
      note={[words(part, all), usual].filter(Boolean).join(" · ")}
      share={[part, all]}
    />
  );
}

/** What the plan counts, in UTC as it counts. */
function useMonth() {
  const can = useCan();
  const month = new Date().toISOString().slice(0, 7);
  const at = { params: { path: { month } } };
  return $api.useQuery("get", "/api/v1/usage/{month}", at, { enabled: can("usage:read") }).data;
}

function LiveNow() {
  const count = useLiveCount();
  return (
    <Link
      to="/live"
      className="group flex min-h-34 flex-col rounded-2xl border border-line bg-card p-4 transition-colors hover:border-faint"
    >
      <span className="flex items-center gap-2 text-[0.8125rem] text-soft">
        <span className="relative grid size-2 place-items-center" aria-hidden="true">
          {count > 0 && <span className="absolute size-2 animate-ping rounded-full bg-agent/60" />}
          <span className={`size-2 rounded-full ${count > 0 ? "bg-agent" : "bg-line"}`} />
        </span>
        {t("home.calls_now")}
      </span>
      <span data-figure="live" className="mt-1 text-3xl font-semibold tracking-tight tabular-nums">
        {whole(count)}
      </span>
      <span className="mt-auto text-[0.8125rem] text-accent-deep underline-offset-4 group-hover:underline">
        {t("home.watch")}
      </span>
    </Link>
  );
}

function Figure({
  name,
  value,
  note,
  tone = "plain",
  share,
  children,
}: {
  name: string;
  /** Undefined while it is on its way. */
  value: string | undefined;
  note: string | undefined;
  tone?: "plain" | "late";
  /** Part and whole, drawn as a bar. */
  share?: [number, number] | null;
  children?: ReactNode;
}) {
  return (
    <dl className="flex min-h-34 flex-col rounded-2xl border border-line bg-card p-4">
      <dt className="text-[0.8125rem] text-soft">{name}</dt>
      <dd className={`mt-1 text-2xl font-semibold tracking-tight tabular-nums ${tone === "late" ? "text-warn" : ""}`}>
        {value ?? (
          <span className="inline-block h-7 w-16 animate-pulse rounded-md bg-sunken align-middle">
            <span className="sr-only">{t("shell.loading")}</span>
          </span>
        )}
      </dd>
      <dd className="mt-0.5 text-xs leading-snug text-soft">{note}</dd>
      {(children !== undefined || share != null) && (
        <dd className="mt-auto pt-2">
          {share != null ? (
            <span className="block h-1.5 overflow-hidden rounded-full bg-sunken" aria-hidden="true">
              <span
                className="block h-full rounded-full bg-accent"
                style={{ width: `${share[1] === 0 ? 0 : Math.min(100, (share[0] / share[1]) * 100)}%` }}
              />
            </span>
          ) : (
            children
          )}
        </dd>
      )}
    </dl>
  );
}
