import { Link, useParams } from "@tanstack/react-router";
import { type ReactNode, useMemo } from "react";
import { $api } from "../../api/client";
import type { components } from "../../api/schema.gen";
import type { Call, JournalRecord } from "../../api/types";
import { currentLine, lineCues } from "../../call/cues";
import { type JournalLine, journalLines } from "../../call/journal";
import { callerName } from "../../call/names";
import { endedWords, plainWords } from "../../call/words";
import { t } from "../../i18n";
import { Citations } from "../../ui/citations";
import { clock, dollars, fullDate } from "../../ui/format";
import { BackIcon, ToolIcon, WarnIcon } from "../../ui/icons";
import { Problem } from "../../ui/kit/page";
import { LatencyDetails } from "../../ui/latency";
import { Player } from "./player";
import { usePlayer } from "./use-player";

type CallDetail = components["schemas"]["CallDetail"];

const REFRESH_MS = 2_000;
/** A recording is closed a moment after its call. */
const SETTLE_MS = 15_000;

export default function CallPage() {
  const { id } = useParams({ from: "/app/calls/$id" });
  const { data, error, refetch } = useCall(id);
  return (
    <div className="h-full overflow-y-auto">
      <div className="mx-auto max-w-3xl px-4 py-6 sm:px-6">
        <Link to="/calls" className="inline-flex items-center gap-1.5 rounded-lg text-sm text-soft hover:text-ink">
          <BackIcon className="size-4" />
          {t("calls.title")}
        </Link>
        {error !== null && <Problem error={error} retry={() => void refetch()} />}
        {data !== undefined && <CallView key={id} detail={data} />}
      </div>
    </div>
  );
}

/** The call and its journal; looked up again while the call goes on. */
function useCall(id: string) {
  return $api.useQuery("get", "/api/v1/calls/{id}", { params: { path: { id } } }, { refetchInterval });
}

function refetchInterval({ state }: { state: { data: CallDetail | undefined } }): number | false {
  const { data } = state;
  return data !== undefined && (data.live || isSettling(data.call)) ? REFRESH_MS : false;
}

function isSettling(call: Call): boolean {
  return !call.recorded && call.ended_at_ms != null && Date.now() - call.ended_at_ms < SETTLE_MS;
}

function CallView({ detail: { call, live, journal } }: { detail: CallDetail }) {
  const lines = useMemo(() => journalLines(journal as unknown as JournalRecord[]), [journal]);
  const player = usePlayer(call.id, call.recorded && !live);
  const cues = useMemo(() => lineCues(lines, player.envelope), [lines, player.envelope]);
  const current = player.started ? currentLine(cues, player.positionMs) : -1;
  return (
    <>
      <h1 className="mt-4 text-2xl font-semibold tracking-tight">{callerName(call)}</h1>
      <Facts call={call} live={live} />
      <Player player={player} />
      <ol aria-label="Transcript" className="mt-2 flex flex-col">
        {lines.map((line, index) => (
          <Row
            key={line.seq}
            line={line}
            atMs={cues[index] ?? line.at}
            current={index === current}
            seek={player.envelope === null ? null : () => player.playFrom(cues[index] ?? line.at)}
          />
        ))}
      </ol>
      {lines.length === 0 && <p className="mt-6 text-soft">Nothing was said.</p>}
    </>
  );
}

function Facts({ call, live }: { call: Call; live: boolean }) {
  const from = call.answered_at_ms ?? call.started_at_ms;
  const facts: [string, ReactNode][] = [
    ["When", fullDate(call.started_at_ms)],
    ["Lasted", call.ended_at_ms == null ? (live ? "still going" : "not ended") : clock(call.ended_at_ms - from)],
    ["Line", `${plainWords(call.carrier)}, ${call.direction}`],
    ["Cost", dollars(call.cost_usd_micros)],
  ];
  return (
    <>
      {call.ended_at_ms != null && <p className="mt-1 text-soft">{endedWords(call.ended_reason, "others")}</p>}
      <dl className="mt-5 flex flex-wrap gap-x-8 gap-y-3 text-sm">
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt className="text-xs text-faint">{name}</dt>
            <dd className="mt-0.5 tabular-nums">{value}</dd>
          </div>
        ))}
      </dl>
    </>
  );
}

interface RowProps {
  line: JournalLine;
  atMs: number;
  current: boolean;
  seek: (() => void) | null;
}

function Row({ line, atMs, current, seek }: RowProps) {
  return (
    <li
      data-line={line.kind}
      data-current={current}
      aria-current={current ? "true" : undefined}
      className="grid grid-cols-[3.5rem_1fr] items-baseline gap-x-2 rounded-xl px-2 py-2.5 transition-colors data-[current=true]:bg-accent/8"
    >
      <button
        type="button"
        disabled={seek === null}
        onClick={seek ?? undefined}
        aria-label={`Play from ${clock(atMs)}`}
        className="h-fit justify-self-start rounded-md font-mono text-xs text-faint tabular-nums enabled:hover:text-accent-deep enabled:hover:underline"
      >
        {clock(atMs)}
      </button>
      <LineBody line={line} seek={seek} />
    </li>
  );
}

/** The words themselves seek too, for the mouse; the time beside them is the button for everybody else. */
function Words({ children, seek }: { children: ReactNode; seek: (() => void) | null }) {
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the button with the time does the same by keyboard.
    // biome-ignore lint/a11y/noStaticElementInteractions: as above.
    <div
      onClick={() => {
        if (window.getSelection()?.isCollapsed !== false) seek?.();
      }}
      className={`leading-relaxed wrap-anywhere ${seek === null ? "" : "cursor-pointer"}`}
    >
      {children}
    </div>
  );
}

function LineBody({ line, seek }: { line: JournalLine; seek: (() => void) | null }) {
  switch (line.kind) {
    case "caller":
      return (
        <Words seek={seek}>
          <Speaker name="Caller" color="bg-caller" extra={line.typed ? "typed" : ""} />
          {line.text}
          {line.cut && <span className="text-faint"> (cut)</span>}
        </Words>
      );
    case "agent":
      return (
        <div className="min-w-0">
          <Words seek={seek}>
            <Speaker name="Agent" color="bg-agent" extra={line.complete ? "" : "interrupted"} />
            {line.text === "" ? <span className="text-faint">Not a word was heard</span> : line.text}
            {!line.complete && line.text !== "" && <span className="text-faint"> —</span>}
          </Words>
          {(line.citations.length > 0 || line.latency !== null) && (
            <div className="mt-2 flex flex-wrap items-center gap-x-3 gap-y-2">
              <Citations citations={line.citations} />
              {line.latency !== null && <LatencyDetails latency={line.latency} />}
            </div>
          )}
        </div>
      );
    case "tool":
      return <ToolBody line={line} />;
    case "note":
      return (
        <p
          className={`flex items-start gap-1.5 text-sm leading-6 ${line.tone === "warn" ? "text-warn" : "text-faint"}`}
        >
          {line.tone === "warn" && <WarnIcon className="mt-1 size-4 shrink-0" />}
          {line.text}
        </p>
      );
  }
}

function Speaker({ name, color, extra }: { name: string; color: string; extra: string }) {
  return (
    <span className="mb-0.5 block text-xs font-medium text-soft">
      <span aria-hidden="true" className={`mr-1.5 inline-block size-2 rounded-full ${color}`} />
      {name}
      {extra !== "" && <span className="font-normal text-faint"> · {extra}</span>}
    </span>
  );
}

function ToolBody({ line }: { line: Extract<JournalLine, { kind: "tool" }> }) {
  return (
    <details className="text-sm">
      <summary className="flex list-none items-center gap-2 leading-6 text-soft hover:text-ink">
        <ToolIcon className="size-4 text-faint" />
        {plainWords(line.name)}
        <span className={line.status === "failed" ? "text-danger" : "text-faint"}>{line.status}</span>
      </summary>
      <dl className="mt-2 grid gap-2 rounded-xl border border-line bg-card p-3 font-mono text-xs leading-relaxed wrap-anywhere">
        {line.args !== null && (
          <div>
            <dt className="text-faint">asked</dt>
            <dd>{JSON.stringify(line.args)}</dd>
          </div>
        )}
        {line.result !== null && (
          <div>
            <dt className="text-faint">answered</dt>
            <dd>{line.result}</dd>
          </div>
        )}
      </dl>
    </details>
  );
}
