import { type ReactNode, useEffect, useLayoutEffect, useRef, useState } from "react";
import type { DeskEvent } from "../../api/types";
import type { CallView, Line } from "../../call/reducer";
import { faultWords, plainWords, toolStatusWords } from "../../call/words";
import { t } from "../../i18n";
import type { LiveCall } from "../../live/picture";
import { useDeskNames } from "../../supervise/use-names";
import { Citations } from "../../ui/citations";
import { clock } from "../../ui/format";
import { DownIcon, ToolIcon, WarnIcon, WhisperIcon } from "../../ui/icons";

/** Closer to the end than this counts as reading the newest line. */
const STICK_PX = 64;

/** What is being said, word by word while the line to the call stands; otherwise what the stream of the business tells. */
export function Said({ talk, call, agentName }: { talk: CallView | null; call: LiveCall; agentName: string }) {
  const lines = talk === null ? call.turns.length : talk.lines.length;
  return (
    <Following of={talk ?? call.turns}>
      {lines === 0 && <li className="text-sm text-soft">{t("live.nothing_said")}</li>}
      {talk === null
        ? call.turns.map(({ seq, role, text, complete, at_call_ms }) => (
            <Turn key={seq} voice={role} name={agentName} at={at_call_ms} text={text} cut={!complete} />
          ))
        : talk.lines.map((line) => <TalkLine key={line.key} line={line} agentName={agentName} />)}
      {talk !== null && talk.partial !== "" && (
        <li data-live-partial="" aria-hidden="true" className="text-sm leading-relaxed text-soft italic">
          {talk.partial}…
        </li>
      )}
    </Following>
  );
}

/** It follows the newest line unless somebody scrolled up to read. */
function Following({ of, children }: { of: unknown; children: ReactNode }) {
  const box = useRef<HTMLDivElement>(null);
  const [stuck, setStuck] = useState(true);
  // biome-ignore lint/correctness/useExhaustiveDependencies: every change of what is shown may add height.
  useLayoutEffect(() => {
    if (stuck && box.current !== null) box.current.scrollTop = box.current.scrollHeight;
  }, [of, stuck]);
  useEffect(() => {
    const element = box.current;
    if (element === null) return;
    const observer = new ResizeObserver(() => {
      if (stuck) element.scrollTop = element.scrollHeight;
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, [stuck]);
  return (
    <div className="relative min-h-0 flex-1">
      <section
        ref={box}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard.
        tabIndex={0}
        aria-label={t("call.transcript")}
        onScroll={({ currentTarget: el }) => setStuck(el.scrollHeight - el.scrollTop - el.clientHeight < STICK_PX)}
        className="h-full overflow-y-auto overscroll-contain px-4 py-3 -outline-offset-2"
      >
        <ol className="flex min-h-full flex-col justify-end gap-3" aria-live="polite">
          {children}
        </ol>
      </section>
      {!stuck && (
        <button
          type="button"
          onClick={() => setStuck(true)}
          className="absolute bottom-2 left-1/2 flex -translate-x-1/2 items-center gap-1.5 rounded-full border border-line bg-card px-3 py-1 text-[0.8125rem] text-soft shadow-card hover:text-ink"
        >
          <DownIcon className="size-3.5" />
          {t("supervise.to_newest")}
        </button>
      )}
    </div>
  );
}

function TalkLine({ line, agentName }: { line: Line; agentName: string }) {
  switch (line.kind) {
    case "caller":
      return <Turn voice="customer" name={agentName} at={line.at} text={line.text} />;
    case "agent":
      return (
        <Turn
          voice="agent"
          name={agentName}
          at={line.at}
          text={line.text}
          open={line.open}
          cut={!line.open && !line.complete}
        >
          {line.citations.length > 0 && <Citations citations={line.citations} />}
        </Turn>
      );
    case "tool":
      return (
        <Aside icon={<ToolIcon className="size-3.5" />}>
          {plainWords(line.name)} · {toolStatusWords(line.status)}
        </Aside>
      );
    case "fault":
      return (
        <Aside icon={<WarnIcon className="size-3.5" />} warn>
          {faultWords(line.stage, line.class)}
        </Aside>
      );
    case "desk":
      return <DeskLine did={line.did} at={line.at} agentName={agentName} />;
  }
}

function DeskLine({ did, at, agentName }: { did: DeskEvent; at: number; agentName: string }) {
  const nameOf = useDeskNames();
  switch (did.event) {
    case "person_turn":
      return <Turn voice="person" name={agentName} by={nameOf(did.by)} at={at} text={did.text} />;
    case "whispered":
      return (
        <li
          data-desk="whispered"
          className="rounded-xl border border-dashed border-person/40 px-3 py-2 text-sm leading-relaxed"
        >
          <span className="flex items-center gap-1.5 text-xs font-medium text-person-ink">
            <WhisperIcon className="size-3.5" />
            {t("supervise.whispered")} · {nameOf(did.by)}
          </span>
          {did.text}
        </li>
      );
    case "taken_over": {
      const words = did.mode === "barge_in" ? "supervise.barged_in_by" : "supervise.taken_over_by";
      return <Rule desk="taken_over">{t(words, { name: nameOf(did.by) })}</Rule>;
    }
    case "recording_paused":
    case "recording_resumed":
    case "on_hold":
      return <Rule desk={did.event}>{t(`supervise.${did.event}_by`, { name: nameOf(did.by) })}</Rule>;
    case "off_hold":
      return <Rule desk={did.event}>{t("supervise.past_off_hold")}</Rule>;
    case "handed_back":
      return (
        <Rule desk="handed_back">
          {t(did.reason === "absent" ? "supervise.handed_back_absent" : "supervise.handed_back")}
        </Rule>
      );
  }
}

const VOICES = {
  customer: { dot: "bg-caller", ink: "text-caller-ink" },
  agent: { dot: "bg-agent", ink: "text-agent-ink" },
  person: { dot: "bg-person", ink: "text-person-ink" },
};

interface TurnProps {
  /** Who speaks, as turns of the API have it. */
  voice: string;
  name: string;
  by?: string;
  at: number;
  text: string;
  /** Not all of it is said yet. */
  open?: boolean;
  /** The caller did not hear all of it. */
  cut?: boolean;
  children?: ReactNode;
}

function Turn({ voice: said, name, by, at, text, open = false, cut = false, children }: TurnProps) {
  const voice = said === "agent" || said === "person" ? said : "customer";
  const who = { customer: t("call.caller"), agent: name, person: by ?? t("supervise.person") }[voice];
  return (
    <li data-live-turn={voice} data-open={open} className="animate-appear text-sm leading-relaxed wrap-anywhere">
      <span className={`flex items-center gap-1.5 text-xs font-medium ${VOICES[voice].ink}`}>
        <span aria-hidden="true" className={`size-2 rounded-full ${VOICES[voice].dot}`} />
        {who}
        <span className="font-mono font-normal text-faint tabular-nums">{clock(at)}</span>
      </span>
      {cut && text === "" ? (
        <span className="text-soft">{t("call.not_heard")}</span>
      ) : (
        <span className={open ? "text-soft" : ""}>{text}</span>
      )}
      {cut && text !== "" && <span className="text-soft"> —</span>}
      {children !== undefined && <span className="mt-1.5 block">{children}</span>}
    </li>
  );
}

function Aside({ icon, warn = false, children }: { icon: ReactNode; warn?: boolean; children: ReactNode }) {
  return (
    <li className={`flex items-center gap-1.5 text-xs ${warn ? "text-warn" : "text-soft"}`}>
      {icon}
      {children}
    </li>
  );
}

function Rule({ desk, children }: { desk: string; children: ReactNode }) {
  return (
    <li data-desk={desk} className="flex items-center gap-3 text-xs text-person-ink">
      <span aria-hidden="true" className="h-px flex-1 bg-person/30" />
      {children}
      <span aria-hidden="true" className="h-px flex-1 bg-person/30" />
    </li>
  );
}
