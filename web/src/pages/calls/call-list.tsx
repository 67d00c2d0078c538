import { Link } from "@tanstack/react-router";
import type { Call } from "../../api/types";
import { callerName } from "../../call/names";
import { endedWords } from "../../call/words";
import { t, wordsOf } from "../../i18n";
import { clock, timeOfDay } from "../../ui/format";
import { ChevronIcon, InboundIcon, OutboundIcon } from "../../ui/icons";
import { Badge, type BadgeTone } from "../../ui/kit/page";
import { useAgentNames } from "./use-agent-names";

const UNANSWERED = new Set(["failed", "busy", "no_answer", "canceled"]);

export function wasMissed(call: Call): boolean {
  return UNANSWERED.has(call.state);
}

/** A call in a few words, one below the other. */
export function CallList({ calls }: { calls: readonly Call[] }) {
  const agents = useAgentNames();
  return (
    <ul className="-mx-2">
      {calls.map((call) => (
        <li key={call.id}>
          <CallRow call={call} agentName={agents.get(call.agent)} />
        </li>
      ))}
    </ul>
  );
}

function CallRow({ call, agentName }: { call: Call; agentName: string | undefined }) {
  const from = call.answered_at_ms ?? call.started_at_ms;
  const words = wasMissed(call) ? stateWords(call.state) : call.ended_reason && endedWords(call.ended_reason, "others");
  return (
    <Link
      to="/calls/$id"
      params={{ id: call.id }}
      data-call={call.id}
      className="flex items-center gap-3 rounded-xl px-2 py-2 text-sm transition-colors hover:bg-sunken"
    >
      <DirectionIcon call={call} />
      <span className="min-w-0 flex-1">
        <span className="block truncate font-medium">{callerName(call)}</span>
        <span className="block truncate text-[0.8125rem] text-soft">
          {[agentName, words].filter(Boolean).join(" · ")}
        </span>
      </span>
      {call.ended_at_ms == null ? (
        <Badge tone="live">{t("calls.now")}</Badge>
      ) : (
        <span className="text-right text-[0.8125rem] text-soft tabular-nums">
          <span className="block">{timeOfDay(call.started_at_ms)}</span>
          <span className="block">{clock(call.ended_at_ms - from)}</span>
        </span>
      )}
      <ChevronIcon className="size-4 shrink-0 text-faint" />
    </Link>
  );
}

export function DirectionIcon({ call }: { call: Pick<Call, "direction" | "state"> }) {
  const Arrow = call.direction === "inbound" ? InboundIcon : OutboundIcon;
  return (
    <span className="shrink-0">
      <Arrow className={`size-4 ${UNANSWERED.has(call.state) ? "text-danger" : "text-faint"}`} />
      <span className="sr-only">{t(call.direction === "inbound" ? "calls.inbound" : "calls.outbound")}</span>
    </span>
  );
}

export function stateWords(state: string): string {
  return wordsOf("states", state) ?? state.replaceAll("_", " ");
}

const TONES: Record<string, BadgeTone> = {
  initiated: "plain",
  ringing: "warn",
  answered: "live",
  active: "live",
  paused: "warn",
  ending: "plain",
  completed: "good",
  failed: "bad",
  busy: "bad",
  no_answer: "bad",
  canceled: "bad",
};

export function StateBadge({ state }: { state: string }) {
  return <Badge tone={TONES[state] ?? "plain"}>{stateWords(state)}</Badge>;
}
