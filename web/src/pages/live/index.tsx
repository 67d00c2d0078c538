import { useNavigate, useSearch } from "@tanstack/react-router";
import { memo, useDeferredValue, useEffect, useMemo, useRef, useState } from "react";
import { useCan, useMe } from "../../auth/me";
import { callerName } from "../../call/names";
import { type MessageKey, t } from "../../i18n";
import type { LiveCall } from "../../live/picture";
import { useLiveCall, useLiveCalls, useLiveReady } from "../../live/use-live";
import { actorName, useDeskNames } from "../../supervise/use-names";
import { Elapsed } from "../../ui/elapsed";
import { LiveIcon, MicIcon } from "../../ui/icons";
import { LinkButton } from "../../ui/kit/button";
import { Select, TextField } from "../../ui/kit/field";
import { Empty, Page, Skeleton } from "../../ui/kit/page";
import { DirectionIcon, StateBadge } from "../calls/call-list";
import { useAgentNames } from "../calls/use-agent-names";
import { CallPanel } from "./call-panel";
import { type LiveSearch, liveSearch } from "./search";

/** Turns on a card; the panel has all that the stream keeps. */
const TURNS_SHOWN = 2;
const ADDRESS_MS = 400;

export default function LivePage() {
  const search = useSearch({ from: "/app/live" });
  const navigate = useNavigate();
  const can = useCan();
  const ready = useLiveReady();
  const agents = useAgentNames();
  const calls = useDeferredValue(useLiveCalls());
  const [words, setWords] = useState(search.q ?? "");
  const sought = useDeferredValue(words);
  const { agent } = search;
  const shown = useMemo(() => pick(calls, sought, agent), [calls, sought, agent]);
  const narrow = (change: Partial<LiveSearch>) => {
    void navigate({ from: "/live", to: "/live", search: (now) => liveSearch({ ...now, ...change }), replace: true });
  };
  // The address follows when somebody has finished typing.
  const timer = useRef(0);
  const seek = (q: string) => {
    setWords(q);
    window.clearTimeout(timer.current);
    timer.current = window.setTimeout(() => narrow({ q }), ADDRESS_MS);
  };
  useEffect(() => () => window.clearTimeout(timer.current), []);
  return (
    <div className="flex h-full">
      <div className="min-w-0 flex-1">
        <Page
          title={t("live.title")}
          lead={t("live.lead", { count: calls.size })}
          width="full"
          actions={
            calls.size > 0 && (
              <>
                <TextField
                  bare
                  type="search"
                  label={t("live.find")}
                  placeholder={t("live.find")}
                  value={words}
                  onChange={(event) => seek(event.target.value)}
                  className="w-48"
                />
                {agents.size > 1 && (
                  <Select
                    bare
                    label={t("calls.agent")}
                    value={search.agent ?? ""}
                    onChange={(event) => narrow({ agent: event.target.value })}
                    options={[
                      { value: "", label: t("calls.all_agents") },
                      ...[...agents].map(([value, label]) => ({ value, label })),
                    ]}
                  />
                )}
              </>
            )
          }
        >
          {!ready && <Skeleton rows={3} className="h-32" />}
          {ready && calls.size === 0 && (
            <Empty
              icon={<LiveIcon />}
              title={t("live.empty_title")}
              action={
                can("calls:place") && (
                  <LinkButton to="/talk" tone="primary" icon={<MicIcon className="size-4" />}>
                    {t("home.talk")}
                  </LinkButton>
                )
              }
            >
              {t("live.empty_text")}
            </Empty>
          )}
          {ready && calls.size > 0 && shown.length === 0 && <p className="text-sm text-soft">{t("live.none_match")}</p>}
          <ul
            aria-label={t("live.title")}
            className="grid grid-cols-[repeat(auto-fill,minmax(min(19rem,100%),1fr))] gap-3"
          >
            {shown.map((id) => (
              <CallCard
                key={id}
                id={id}
                agentName={agents.get(calls.get(id)?.agent ?? "") ?? ""}
                open={search.call === id}
                onOpen={() => narrow({ call: id })}
              />
            ))}
          </ul>
        </Page>
      </div>
      {search.call !== undefined && (
        <CallPanel key={search.call} id={search.call} onClose={() => narrow({ call: "" })} />
      )}
    </div>
  );
}

/** The longest call first: it is the one that somebody should look at. Only ids, so that cards draw by themselves. */
function pick(calls: ReadonlyMap<string, LiveCall>, q: string, agent: string | undefined): string[] {
  const words = q.trim().toLowerCase();
  const fits = (call: LiveCall) =>
    (agent === undefined || call.agent === agent) &&
    (words === "" ||
      callerName(call).toLowerCase().includes(words) ||
      (call.number ?? "").includes(words) ||
      call.turns.some(({ text }) => text.toLowerCase().includes(words)));
  return [...calls.values()]
    .filter(fits)
    .sort((a, b) => a.started_at_ms - b.started_at_ms)
    .map(({ id }) => id);
}

interface CardProps {
  id: string;
  agentName: string;
  open: boolean;
  onOpen: () => void;
}

/** Draws again only when its own call changed. */
const CallCard = memo(
  function CallCard({ id, agentName, open, onOpen }: CardProps) {
    const call = useLiveCall(id);
    if (call === undefined) return null;
    const turns = call.turns.slice(-TURNS_SHOWN);
    return (
      <li
        data-live-call={id}
        className="relative flex min-h-40 flex-col rounded-2xl border border-line bg-card p-4 [contain-intrinsic-size:auto_10rem] [content-visibility:auto] has-aria-expanded:border-accent hover:border-faint"
      >
        <div className="flex items-center gap-2">
          <DirectionIcon call={call} />
          <button
            type="button"
            onClick={onOpen}
            aria-expanded={open || undefined}
            className="min-w-0 flex-1 truncate rounded text-left text-sm font-medium after:absolute after:inset-0 after:rounded-2xl"
          >
            {callerName(call)}
          </button>
          <Elapsed
            since_ms={call.answered_at_ms ?? call.started_at_ms}
            className="font-mono text-xs text-soft tabular-nums"
          />
        </div>
        <p className="mt-1.5 flex items-center gap-2 text-[0.8125rem] text-soft">
          <StateBadge state={call.state} />
          <Whose call={call} />
          <span className="truncate">{agentName}</span>
        </p>
        <ol className="mt-3 flex flex-1 flex-col justify-end gap-1.5 text-[0.8125rem] leading-snug">
          {turns.length === 0 && <li className="text-faint">{t("live.nothing_said")}</li>}
          {turns.map((turn) => (
            <li key={turn.seq} className="line-clamp-2 animate-appear">
              <span className={`font-medium ${INKS[turn.role] ?? "text-caller-ink"}`}>
                {t(ROLES[turn.role] ?? "call.caller")}
              </span>{" "}
              {turn.text}
            </li>
          ))}
        </ol>
      </li>
    );
  },
  (before, after) => before.id === after.id && before.open === after.open && before.agentName === after.agentName,
);

const INKS: Record<string, string> = { agent: "text-agent-ink", person: "text-person-ink" };
const ROLES: Record<string, MessageKey> = { agent: "call.agent", person: "supervise.person" };

/** Who has the call or, of the two, who spoke last: an answer that is long in coming is seen from afar. */
function Whose({ call }: { call: LiveCall }) {
  const me = useMe();
  const nameOf = useDeskNames();
  if (call.hold !== undefined) {
    const mine = call.hold.by === actorName(me);
    return (
      <span
        title={nameOf(call.hold.by)}
        className="rounded-full bg-person/12 px-2 py-0.5 text-xs font-medium whitespace-nowrap text-person-ink"
      >
        {t(mine ? "supervise.with_you" : "supervise.with_person")}
      </span>
    );
  }
  const last = call.turns.at(-1);
  if (last === undefined || call.state !== "active") return null;
  return (
    <span data-spoke-last={last.role} className="whitespace-nowrap">
      {t(last.role === "customer" ? "supervise.caller_last" : "supervise.agent_last")}
    </span>
  );
}
