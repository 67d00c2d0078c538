import { useEffect, useLayoutEffect, useRef, useState } from "react";
import type { AgentLine, CallerLine, CallView, FaultLine, Line, ToolLine } from "../../call/reducer";
import { faultWords, plainWords, toolStatusWords } from "../../call/words";
import { t } from "../../i18n";
import { Citations } from "../../ui/citations";
import { DownIcon, ToolIcon, WarnIcon } from "../../ui/icons";
import { LatencyDetails } from "../../ui/latency";

/** Closer to the end than this counts as reading the newest line. */
const STICK_PX = 80;

interface TranscriptProps {
  view: CallView;
  agentName: string;
  language: string;
}

/** The conversation as it happens. It follows the newest line unless somebody scrolled up to read. */
export function Transcript({ view, agentName, language }: TranscriptProps) {
  const box = useRef<HTMLDivElement>(null);
  const list = useRef<HTMLOListElement>(null);
  const [stuck, setStuck] = useState(true);
  const pending = view.typed !== "" ? view.typed : view.partial;

  // biome-ignore lint/correctness/useExhaustiveDependencies: every change of what is shown may add height.
  useLayoutEffect(() => {
    if (stuck && box.current !== null) box.current.scrollTop = box.current.scrollHeight;
  }, [view, stuck]);

  useEffect(() => {
    const element = box.current;
    if (element === null) return;
    const observer = new ResizeObserver(() => {
      if (stuck) element.scrollTop = element.scrollHeight;
    });
    observer.observe(element);
    if (list.current !== null) observer.observe(list.current);
    return () => observer.disconnect();
  }, [stuck]);

  return (
    <div className="relative min-h-0 flex-1">
      <div
        ref={box}
        onScroll={({ currentTarget: el }) => setStuck(el.scrollHeight - el.scrollTop - el.clientHeight < STICK_PX)}
        className="h-full overflow-y-auto overscroll-contain px-4 sm:px-6"
      >
        <ol
          ref={list}
          aria-label={t("talk.transcript")}
          lang={language}
          className="mx-auto flex min-h-full max-w-2xl flex-col justify-end gap-5 py-6"
        >
          {view.lines.map((line) => (
            <TranscriptLine key={line.key} line={line} agentName={agentName} />
          ))}
          {pending !== "" && (
            <li className="flex justify-end" data-role="caller-partial" aria-hidden="true">
              <p className="max-w-[85%] rounded-2xl rounded-br-md border border-dashed border-line px-4 py-2.5 leading-relaxed text-faint">
                {pending}
                {view.typed === "" && <span className="ml-0.5 animate-pulse">…</span>}
              </p>
            </li>
          )}
          {view.phase === "thinking" && pending === "" && <Thinking />}
        </ol>
      </div>
      {!stuck && (
        <button
          type="button"
          onClick={() => setStuck(true)}
          className="absolute bottom-3 left-1/2 flex -translate-x-1/2 items-center gap-1.5 rounded-full border border-line bg-card px-3 py-1.5 text-sm text-soft shadow-card hover:text-ink"
        >
          <DownIcon className="size-4" />
          {t("talk.newest")}
        </button>
      )}
      <Announcer lines={view.lines} agentName={agentName} language={language} />
    </div>
  );
}

function Thinking() {
  return (
    <li className="flex h-6 items-center gap-1" aria-hidden="true">
      {[0, 1, 2].map((dot) => (
        <span
          key={dot}
          className="size-1.5 animate-pulse rounded-full bg-faint"
          style={{ animationDelay: `${dot * 160}ms` }}
        />
      ))}
    </li>
  );
}

/** Reads finished lines to screen readers, each once; guesses and half sentences stay silent. */
function Announcer({ lines, agentName, language }: { lines: Line[]; agentName: string; language: string }) {
  const newest = lines.findLast((line) => line.kind === "caller" || (line.kind === "agent" && !line.open));
  let text = "";
  if (newest?.kind === "caller") text = t("talk.you_said", { text: newest.text });
  else if (newest?.kind === "agent") {
    text = t(newest.complete ? "talk.agent_said" : "talk.interrupted_said", { name: agentName, text: newest.text });
  }
  return (
    <p className="sr-only" role="log" aria-live="polite" lang={language}>
      {text}
    </p>
  );
}

function TranscriptLine({ line, agentName }: { line: Line; agentName: string }) {
  switch (line.kind) {
    case "caller":
      return <Caller line={line} />;
    case "agent":
      return <Agent line={line} agentName={agentName} />;
    case "tool":
      return <Tool line={line} />;
    case "fault":
      return <Fault line={line} />;
    case "desk":
      // Callers are not told what supervisors do; this page is one of a caller.
      return null;
  }
}

function Caller({ line }: { line: CallerLine }) {
  return (
    <li className="flex animate-appear justify-end" data-role="caller">
      <p className="max-w-[85%] rounded-2xl rounded-br-md bg-sunken px-4 py-2.5 leading-relaxed wrap-anywhere">
        <span className="sr-only">{t("talk.you")}: </span>
        {line.text}
      </p>
    </li>
  );
}

function Agent({ line, agentName }: { line: AgentLine; agentName: string }) {
  const silenced = !line.open && line.text === "";
  return (
    <li className="animate-appear" data-role="agent" data-open={line.open} data-complete={line.complete}>
      <p className={`leading-relaxed wrap-anywhere transition-colors ${line.open ? "text-soft" : "text-ink"}`}>
        <span className="sr-only">{agentName}: </span>
        <span data-text="">{line.text}</span>
        {!line.open && !line.complete && !silenced && <span className="text-faint"> —</span>}
      </p>
      <AgentFoot line={line} silenced={silenced} />
    </li>
  );
}

function AgentFoot({ line, silenced }: { line: AgentLine; silenced: boolean }) {
  const cut = !line.open && !line.complete;
  if (!cut && line.latency === null && line.citations.length === 0) return null;
  return (
    <div className="mt-2 flex flex-wrap items-center gap-x-3 gap-y-2">
      <Citations citations={line.citations} />
      {cut && (
        <span className="text-xs text-warn">
          {silenced ? t("talk.interrupted_before") : t("talk.interrupted_here")}
        </span>
      )}
      {line.latency !== null && <LatencyDetails latency={line.latency} />}
    </div>
  );
}

function Tool({ line }: { line: ToolLine }) {
  const bad = line.status === "failed" || line.status === "refused";
  return (
    <li className="flex items-center gap-2 text-sm text-soft" data-role="tool">
      <ToolIcon className="size-4 text-faint" />
      <span>{plainWords(line.name)}</span>
      <span className={bad ? "text-danger" : "text-faint"}>{toolStatusWords(line.status)}</span>
    </li>
  );
}

function Fault({ line }: { line: FaultLine }) {
  return (
    <li className="flex items-center gap-2 text-sm text-warn" data-role="fault">
      <WarnIcon className="size-4" />
      <span>{t("talk.fault_goes_on", { fault: faultWords(line.stage, line.class) })}</span>
    </li>
  );
}
