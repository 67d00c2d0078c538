import { Link, useParams } from "@tanstack/react-router";
import { useMemo, useState } from "react";
import { $api } from "../../api/client";
import type { components } from "../../api/schema.gen";
import type { Call, JournalRecord } from "../../api/types";
import { useCan } from "../../auth/me";
import { currentLine, lineCues } from "../../call/cues";
import { journalLines } from "../../call/journal";
import { moodPoints } from "../../call/mood";
import { callerName } from "../../call/names";
import { turnTimings } from "../../call/timing";
import { t } from "../../i18n";
import { useLiveCall } from "../../live/use-live";
import { useHolderWords } from "../../supervise/use-names";
import { shortDate } from "../../ui/format";
import { BackIcon, LiveIcon } from "../../ui/icons";
import { LinkButton } from "../../ui/kit/button";
import { Problem, Skeleton } from "../../ui/kit/page";
import { Tabs } from "../../ui/kit/tabs";
import { StateBadge } from "../calls/call-list";
import { EventsView } from "./events-view";
import { MoodLine } from "./mood-line";
import { Player } from "./player";
import { Summary } from "./summary";
import { TimingView } from "./timing-view";
import { TranscriptView } from "./transcript-view";
import { usePlayer } from "./use-player";

type CallDetail = components["schemas"]["CallDetail"];

const REFRESH_MS = 2_000;
/** A recording is closed, and a call read, a moment after its end. */
const SETTLE_MS = 15_000;

export default function CallPage() {
  const { id } = useParams({ from: "/app/calls/$id" });
  const { data, error, isPending, refetch } = $api.useQuery(
    "get",
    "/api/v1/calls/{id}",
    { params: { path: { id } } },
    { refetchInterval },
  );
  return (
    <div className="h-full overflow-y-auto">
      <div className="mx-auto max-w-6xl px-4 py-6 sm:px-8">
        <Link to="/calls" className="inline-flex items-center gap-1.5 rounded-lg text-sm text-soft hover:text-ink">
          <BackIcon className="size-4" />
          {t("calls.title")}
        </Link>
        {isPending && (
          <div className="mt-6">
            <Skeleton rows={6} />
          </div>
        )}
        {error !== null && (
          <div className="mt-4">
            <Problem error={error} retry={() => void refetch()} />
          </div>
        )}
        {data !== undefined && <CallView key={id} detail={data} />}
      </div>
    </div>
  );
}

/** While a call goes on, and until its recording is there. */
function refetchInterval({ state: { data } }: { state: { data: CallDetail | undefined } }): number | false {
  return data !== undefined && (data.live || isSettling(data.call)) ? REFRESH_MS : false;
}

function isSettling(call: Call): boolean {
  return !call.recorded && call.ended_at_ms != null && Date.now() - call.ended_at_ms < SETTLE_MS;
}

function CallView({ detail }: { detail: CallDetail }) {
  const { call, live } = detail;
  const can = useCan();
  const [tab, setTab] = useState("transcript");
  const journal = detail.journal as unknown as JournalRecord[];
  const lines = useMemo(() => journalLines(journal), [journal]);
  const moods = useMemo(() => moodPoints(journal), [journal]);
  const timings = useMemo(() => turnTimings(journal), [journal]);
  const player = usePlayer(call.id, call.recorded && !live && can("recordings:read"));
  const cues = useMemo(() => lineCues(lines, player.envelope), [lines, player.envelope]);
  const current = player.started ? currentLine(cues, player.positionMs) : -1;
  const playFrom = player.envelope === null ? null : player.playFrom;
  return (
    <>
      <header className="mt-4 flex flex-wrap items-center gap-x-3 gap-y-2">
        <h1 className="text-2xl font-semibold tracking-tight wrap-anywhere">{callerName(call)}</h1>
        <StateBadge state={call.state} />
        {live && <HeldBy id={call.id} />}
        <span className="text-sm text-soft tabular-nums">{shortDate(call.started_at_ms)}</span>
        {live && can("events:read") && (
          <LinkButton
            to="/live"
            search={{ call: call.id }}
            size="sm"
            className="ml-auto"
            icon={<LiveIcon className="size-4" />}
          >
            {t("call.watch_live")}
          </LinkButton>
        )}
      </header>
      <div className="mt-2 grid gap-x-8 gap-y-6 lg:grid-cols-[minmax(0,1fr)_19rem]">
        <div className="min-w-0">
          <Player player={player} />
          <MoodLine points={moods} lastedMs={lastedMs(call, journal)} seek={playFrom} />
          <div className="mt-4">
            <Tabs
              label={t("call.views")}
              value={tab}
              onChange={setTab}
              tabs={[
                {
                  value: "transcript",
                  label: t("call.transcript"),
                  content: <TranscriptView lines={lines} cues={cues} current={current} playFrom={playFrom} />,
                },
                {
                  value: "timing",
                  label: t("call.timing"),
                  content: <TimingView turns={timings} seek={playFrom} />,
                },
                {
                  value: "events",
                  label: t("call.events"),
                  content: <EventsView id={call.id} startedAtMs={call.started_at_ms} journal={journal} />,
                },
              ]}
            />
          </div>
        </div>
        <Summary detail={detail} />
      </div>
    </>
  );
}

function lastedMs({ ended_at_ms, answered_at_ms, started_at_ms }: Call, journal: readonly JournalRecord[]): number {
  if (ended_at_ms == null) return journal.at(-1)?.at ?? 0;
  return ended_at_ms - (answered_at_ms ?? started_at_ms);
}

/** Who has the call instead of its agent. */
function HeldBy({ id }: { id: string }) {
  const call = useLiveCall(id);
  const words = useHolderWords();
  if (call?.hold === undefined) return null;
  return (
    <span
      data-held-by=""
      className="inline-flex h-5.5 items-center rounded-full bg-person/12 px-2 text-xs font-medium text-person-ink"
    >
      {words(call.hold)}
    </span>
  );
}
