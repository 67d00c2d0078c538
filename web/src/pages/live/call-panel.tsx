import { Link } from "@tanstack/react-router";
import { type ReactNode, useEffect, useRef } from "react";
import { useCan, useMe } from "../../auth/me";
import { moodNow } from "../../call/mood";
import { callerName } from "../../call/names";
import { phaseWords } from "../../call/words";
import { t } from "../../i18n";
import type { LiveCall } from "../../live/picture";
import { useLiveCall } from "../../live/use-live";
import { supervision } from "../../supervise/session";
import { actorName, useDeskNames } from "../../supervise/use-names";
import { useAnySupervision, useSupervision } from "../../supervise/use-supervision";
import { isHeardElsewhere, isMine, type SuperviseView } from "../../supervise/view";
import { Elapsed } from "../../ui/elapsed";
import { CloseIcon, TakeOverIcon, WarnIcon } from "../../ui/icons";
import { IconButton, LinkButton, Spinner } from "../../ui/kit/button";
import { MoodSign } from "../../ui/mood";
import { StateBadge } from "../calls/call-list";
import { useAgentNames } from "../calls/use-agent-names";
import { Desk } from "./desk";
import { Said } from "./said";
import { Voices } from "./voices";

/** One call of the wall: what is said, who says it, and what a person may do about it. */
export function CallPanel({ id, onClose }: { id: string; onClose: () => void }) {
  const call = useLiveCall(id);
  const can = useCan();
  const view = useSupervision(id, can("calls:control"));
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), []);
  return (
    <aside
      aria-label={t("live.panel")}
      data-line={view.line}
      onKeyDown={(event) => {
        if (event.key === "Escape" && !event.defaultPrevented) onClose();
      }}
      className="flex h-full w-full max-w-md shrink-0 animate-appear flex-col border-l border-line bg-card max-lg:absolute max-lg:inset-0 max-lg:z-10 max-lg:max-w-none max-lg:border-l-0 xl:max-w-lg"
    >
      <Header call={call} view={view} heading={heading} onClose={onClose} />
      {call === undefined || view.line === "over" ? <Over id={id} /> : <Going call={call} view={view} />}
    </aside>
  );
}

interface HeaderProps {
  call: LiveCall | undefined;
  view: SuperviseView;
  heading: React.RefObject<HTMLHeadingElement | null>;
  onClose: () => void;
}

function Header({ call, view, heading, onClose }: HeaderProps) {
  const agents = useAgentNames();
  const mood = call === undefined ? null : moodNow(call.turns);
  return (
    <header className="flex items-start gap-3 border-b border-line p-4">
      <div className="min-w-0 flex-1">
        <h2 ref={heading} tabIndex={-1} className="truncate font-semibold tracking-tight outline-none">
          {call === undefined ? t("live.over_title") : callerName(call)}
        </h2>
        {call !== undefined && (
          <p className="mt-1 flex flex-wrap items-center gap-x-2 gap-y-1 text-[0.8125rem] text-soft">
            <StateBadge state={call.state} />
            <Elapsed since_ms={call.answered_at_ms ?? call.started_at_ms} className="font-mono tabular-nums" />
            <span className="truncate">{agents.get(call.agent)}</span>
            {mood !== null && <MoodSign value={mood} />}
            {view.talk.phase !== "" && <span data-live-phase={view.talk.phase}>· {phaseWords(view.talk.phase)}</span>}
          </p>
        )}
      </div>
      <IconButton label={t("shell.close")} size="sm" onClick={onClose}>
        <CloseIcon className="size-4" />
      </IconButton>
    </header>
  );
}

function Over({ id }: { id: string }) {
  return (
    <div className="p-4 text-sm leading-relaxed text-soft">
      <p>{t("live.over_text")}</p>
      <LinkButton to="/calls/$id" params={{ id }} className="mt-4">
        {t("live.see_call")}
      </LinkButton>
    </div>
  );
}

function Going({ call, view }: { call: LiveCall; view: SuperviseView }) {
  const can = useCan();
  const me = useMe();
  const agents = useAgentNames();
  const agentName = agents.get(call.agent) ?? t("call.agent");
  const nameOf = useDeskNames();
  const elsewhere = useOtherCall(call.id);
  // The line is nearer to the call than the stream of the business, while it stands.
  const near = view.line === "open" || view.line === "lost";
  const hold = near ? view.hold : (call.hold ?? null);
  const mine = near ? isMine(view) : hold?.by === actorName(me);
  const holderName = hold === null ? agentName : (nameKnown(call, view, hold.by) ?? nameOf(hold.by));
  const talk = view.talk.lines.length > 0 && near ? view.talk : null;
  return (
    <>
      {near && (
        <div className="border-b border-line px-4 py-2">
          <Voices
            wave={supervision.wave}
            active={view.line === "open"}
            name={mine ? t("supervise.you") : holderName}
            isPerson={hold !== null}
          />
        </div>
      )}
      {hold !== null && <Holder name={holderName} mine={mine} view={view} />}
      <Trouble view={view} mine={mine} allowed={can("calls:control")} />
      <Said talk={talk} call={call} agentName={agentName} />
      {can("calls:control") && elsewhere === null && <Desk call={call} view={view} mine={mine} held={hold !== null} />}
      {elsewhere !== null && (
        <p className="border-t border-line p-4 text-sm leading-relaxed text-soft">
          {t("supervise.other_call")}{" "}
          <Link
            to="/live"
            search={{ call: elsewhere }}
            className="font-medium text-accent-deep underline underline-offset-4"
          >
            {t("supervise.other_call_go")}
          </Link>
        </p>
      )}
    </>
  );
}

/** The name that came with the call, for whoever may not read the list of people. */
function nameKnown(call: LiveCall, view: SuperviseView, by: string | null): string | undefined {
  return (by === null ? undefined : view.names[by]) ?? (call.hold?.by === by ? call.hold.name : undefined);
}

/** The call that this user has, when it is not this one. */
function useOtherCall(id: string): string | null {
  const any = useAnySupervision();
  return any.call !== null && any.call !== id && isMine(any) ? any.call : null;
}

function Holder({ name, mine, view }: { name: string; mine: boolean; view: SuperviseView }) {
  const elsewhere = mine && isHeardElsewhere(view);
  let text = t("supervise.theirs_text");
  if (elsewhere) text = t("supervise.elsewhere_text");
  else if (mine && view.muted) text = t("supervise.mine_muted");
  else if (mine) text = t(view.microphone === "on" ? "supervise.mine_text" : "supervise.mine_typed");
  return (
    <div
      role="status"
      data-holder={elsewhere ? "elsewhere" : mine ? "me" : "other"}
      className="flex items-center gap-3 border-b border-person/25 bg-person/10 px-4 py-2.5 text-sm leading-snug"
    >
      <TakeOverIcon className="size-5 shrink-0 text-person-ink" />
      <p>
        <span className="block font-medium text-person-ink">
          {elsewhere && t("supervise.elsewhere")}
          {!elsewhere && (mine ? t("supervise.mine") : t("supervise.theirs", { name }))}
        </span>
        <span className="text-[0.8125rem] text-soft">{text}</span>
      </p>
    </div>
  );
}

/** What is different from a line that stands. */
function Trouble({ view, mine, allowed }: { view: SuperviseView; mine: boolean; allowed: boolean }) {
  if (!allowed) return <Told>{t("supervise.refused_forbidden")}</Told>;
  if (view.line === "connecting") {
    return (
      <Told>
        <Spinner /> {t("supervise.connecting")}
      </Told>
    );
  }
  if (view.line === "lost") return <Told warn>{t(mine ? "supervise.lost_held" : "supervise.lost")}</Told>;
  if (view.line === "refused" && view.refusal !== null) return <Told>{t(`supervise.refused_${view.refusal}`)}</Told>;
  return null;
}

function Told({ children, warn = false }: { children: ReactNode; warn?: boolean }) {
  return (
    <p
      role="status"
      data-trouble=""
      className={`flex items-center gap-2 border-b border-line px-4 py-2 text-[0.8125rem] leading-snug ${warn ? "bg-warn/8 text-warn" : "text-soft"}`}
    >
      {warn && <WarnIcon className="size-4 shrink-0" />}
      {children}
    </p>
  );
}
