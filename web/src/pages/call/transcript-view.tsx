import type { ReactNode } from "react";
import type { JournalLine } from "../../call/journal";
import { plainWords } from "../../call/words";
import { t } from "../../i18n";
import { Citations } from "../../ui/citations";
import { clock } from "../../ui/format";
import { ToolIcon, WarnIcon } from "../../ui/icons";
import { LatencyDetails } from "../../ui/latency";

interface TranscriptProps {
  lines: JournalLine[];
  /** When each line is heard in the recording. */
  cues: number[];
  /** The line that is being played, or -1. */
  current: number;
  playFrom: ((ms: number) => void) | null;
}

/** What was said and done, each line where it is in the recording. */
export function TranscriptView({ lines, cues, current, playFrom }: TranscriptProps) {
  if (lines.length === 0) return <p className="mt-2 text-soft">{t("call.nothing_said")}</p>;
  return (
    <ol aria-label={t("call.transcript")} className="flex flex-col">
      {lines.map((line, index) => {
        const at = cues[index] ?? line.at;
        return (
          <Row
            key={line.seq}
            line={line}
            atMs={at}
            current={index === current}
            seek={playFrom === null ? null : () => playFrom(at)}
          />
        );
      })}
    </ol>
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
        aria-label={t("call.play_from", { time: clock(atMs) })}
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
          <Speaker name={t("call.caller")} color="bg-caller" extra={line.typed ? t("call.typed") : ""} />
          {line.text}
          {line.cut && <span className="text-faint">{t("call.cut")}</span>}
        </Words>
      );
    case "agent":
      return (
        <div className="min-w-0">
          <Words seek={seek}>
            <Speaker name={t("call.agent")} color="bg-agent" extra={line.complete ? "" : t("call.interrupted")} />
            {line.text === "" ? <span className="text-faint">{t("call.not_heard")}</span> : line.text}
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
    case "person":
      return (
        <Words seek={seek}>
          <Speaker name={t("supervise.person")} color="bg-person" extra="" />
          {line.text}
        </Words>
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
        <span className={line.status === "failed" ? "text-danger" : "text-faint"}>{t(`call.tool_${line.status}`)}</span>
      </summary>
      <dl className="mt-2 grid gap-2 rounded-xl border border-line bg-card p-3 font-mono text-xs leading-relaxed wrap-anywhere">
        {line.args !== null && (
          <div>
            <dt className="text-faint">{t("call.tool_asked")}</dt>
            <dd>{JSON.stringify(line.args)}</dd>
          </div>
        )}
        {line.result !== null && (
          <div>
            <dt className="text-faint">{t("call.tool_answered")}</dt>
            <dd>{line.result}</dd>
          </div>
        )}
      </dl>
    </details>
  );
}
