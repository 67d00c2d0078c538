import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
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
import { byHour, summarize } from "./summary";
import { useAnswerTimes, useSpending, useToday } from "./use-home";

const LATEST = 6;
/** The caller's silence from which on an answer is late. */
const LATE_MS = 1_000;

export default function HomePage() {
  const can = useCan();
  const today = useToday();
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
      {today.error !== null && <Problem error={today.error} retry={() => void today.refetch()} />}
      <Figures today={today.data} />
      <div className="mt-4 grid gap-4 lg:grid-cols-[minmax(0,2fr)_minmax(0,1fr)]">
        <Card
          title={t("home.latest")}
          actions={
            <Link to="/calls" className="text-sm font-medium text-accent-deep underline-offset-4 hover:underline">
              {t("home.all_calls")}
            </Link>
          }
        >
          {today.isPending && can("calls:read") && <Skeleton rows={3} />}
          {today.data?.calls.length === 0 && (
            <Empty
              icon={<CallsIcon />}
              title={t("home.no_calls")}
              action={
                <LinkButton to="/talk" icon={<MicIcon className="size-4" />}>
                  {t("home.talk")}
                </LinkButton>
              }
            >
              {t("home.no_calls_help")}
            </Empty>
          )}
          {today.data !== undefined && <CallList calls={today.data.calls.slice(0, LATEST)} />}
        </Card>
        <Alerts />
      </div>
    </Page>
  );
}

function Figures({ today }: { today: ReturnType<typeof useToday>["data"] }) {
  const can = useCan();
  const times = useAnswerTimes(today?.calls);
  const spending = useSpending();
  const sum = today === undefined ? null : summarize(today.calls);
  const share = (part: number, of: number) => (of === 0 ? "–" : percent(part / of));
  const more = today?.partial ? "+" : "";
  return (
    <div className="grid grid-cols-2 gap-3 sm:gap-4 lg:grid-cols-4">
      <LiveNow />
      <Figure
        name={t("home.calls_today")}
        value={sum === null ? null : `${whole(sum.calls)}${more}`}
        note={sum === null ? "" : t("home.talk_time", { time: longTime(sum.talk_ms) })}
      >
        {today !== undefined && <Bars values={byHour(today.calls, today.from_ms, today.from_ms + 86_400_000)} />}
      </Figure>
      <Figure
        name={t("home.time_to_answer")}
        value={today === undefined ? null : times.p50 === null ? "–" : formatMs(times.p50)}
        tone={times.p50 !== null && times.p50 > LATE_MS ? "late" : "plain"}
        note={
          times.p95 === null
            ? t("home.no_answers")
            : t("home.p95_of", { p95: formatMs(times.p95), count: times.answers, calls: times.calls })
        }
      >
        <Line values={times.line} />
      </Figure>
      {can("usage:read") ? (
        <Figure
          name={t("home.cost_today")}
          value={sum === null ? null : dollars(sum.cost_usd_micros)}
          note={spending.known ? t("home.cost_month", { cost: dollars(spending.month_usd_micros) }) : ""}
        >
          <Bars values={spending.costs} />
        </Figure>
      ) : (
        <Figure name={t("home.missed")} value={sum === null ? null : whole(sum.missed)} note="" />
      )}
      <Figure
        name={t("home.answered")}
        value={sum === null ? null : share(sum.answered, sum.answered + sum.missed)}
        note={sum === null ? "" : t("home.of_calls", { part: sum.answered, count: sum.answered + sum.missed })}
        share={sum === null ? null : [sum.answered, sum.answered + sum.missed]}
      />
      <Figure
        name={t("home.contained")}
        value={sum === null ? null : share(sum.contained, sum.over)}
        note={sum === null ? "" : t("home.contained_note", { part: sum.contained, count: sum.over })}
        share={sum === null ? null : [sum.contained, sum.over]}
      />
      <Figure
        name={t("home.transferred")}
        value={sum === null ? null : share(sum.transferred, sum.over)}
        note={sum === null ? "" : t("home.transferred_note", { part: sum.transferred, count: sum.over })}
        share={sum === null ? null : [sum.transferred, sum.over]}
      />
      <Figure
        name={t("home.month")}
        value={spending.known ? whole(spending.month_calls) : can("usage:read") ? null : "–"}
        note={
          spending.calls_limit === null
            ? t("home.month_note")
            : t("home.month_limit", { limit: whole(spending.calls_limit) })
        }
        share={spending.calls_limit === null ? null : [spending.month_calls, spending.calls_limit]}
      />
    </div>
  );
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
  /** Null while it is on its way. */
  value: string | null;
  note: string;
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
