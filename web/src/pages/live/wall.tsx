import { defaultRangeExtractor, useVirtualizer } from "@tanstack/react-virtual";
import { memo, type RefObject, useEffect, useRef, useState } from "react";
import { moodNow } from "../../call/mood";
import { callerName } from "../../call/names";
import { type MessageKey, t } from "../../i18n";
import type { LiveCall, WallHold } from "../../live/picture";
import { useLiveCall } from "../../live/use-live";
import { useHolderWords } from "../../supervise/use-names";
import { Elapsed } from "../../ui/elapsed";
import { MoodSign } from "../../ui/mood";
import { DirectionIcon, StateBadge } from "../calls/call-list";
import { useAgentNames } from "../calls/use-agent-names";

/** Turns on a card; the panel has all that the stream keeps. */
const TURNS_SHOWN = 2;
const CARD_WIDTH_MIN = 304;
/** Header, facts, and two turns of two lines; all cards are as high, so that none moves the others. */
const CARD_HEIGHT = 178;
const GAP = 12;
/** Rows beyond the edge that are drawn already. */
const AHEAD = 1;

interface WallProps {
  ids: readonly string[];
  /** The call that is open beside the wall. */
  chosen: string | undefined;
  open: (id: string) => void;
  scroller: RefObject<HTMLDivElement | null>;
}

/** Any number of live calls: only the cards in sight are drawn, and the one that has the focus. */
export function Wall({ ids, chosen, open, scroller }: WallProps) {
  const list = useRef<HTMLUListElement>(null);
  const { columns, top } = useGrid(list);
  const [focused, setFocused] = useState<string | null>(null);
  const facts = useCardFacts();
  const kept = focused === null ? -1 : ids.indexOf(focused);
  const virtual = useVirtualizer({
    count: Math.ceil(ids.length / columns),
    getScrollElement: () => scroller.current,
    estimateSize: () => CARD_HEIGHT,
    gap: GAP,
    scrollMargin: top,
    overscan: AHEAD,
    rangeExtractor: (range) => {
      const rows = defaultRangeExtractor(range);
      const row = Math.floor(kept / columns);
      return kept < 0 || rows.includes(row) ? rows : [...rows, row].sort((a, b) => a - b);
    },
  });
  return (
    <ul
      ref={list}
      aria-label={t("live.title")}
      onFocus={({ target }) => setFocused(target.closest<HTMLElement>("[data-live-call]")?.dataset.liveCall ?? null)}
      onBlur={() => setFocused(null)}
      className="grid"
      style={{
        gap: GAP,
        gridTemplateColumns: `repeat(${columns}, minmax(0, 1fr))`,
        gridTemplateRows: `repeat(${Math.ceil(ids.length / columns)}, ${CARD_HEIGHT}px)`,
      }}
    >
      {virtual
        .getVirtualItems()
        .flatMap(({ index: row }) =>
          ids
            .slice(row * columns, (row + 1) * columns)
            .map((id, column) => (
              <CallCard
                key={id}
                id={id}
                row={row}
                column={column}
                at={row * columns + column}
                of={ids.length}
                chosen={id === chosen}
                open={open}
                {...facts}
              />
            )),
        )}
    </ul>
  );
}

/** How many cards stand side by side, and how far below the top of what scrolls the first one is. */
function useGrid(list: RefObject<HTMLUListElement | null>): { columns: number; top: number } {
  const [grid, setGrid] = useState({ columns: 1, top: 0 });
  useEffect(() => {
    const element = list.current;
    const around = element?.parentElement;
    if (element == null || around == null) return;
    const look = () => {
      const columns = Math.max(1, Math.floor((element.clientWidth + GAP) / (CARD_WIDTH_MIN + GAP)));
      const top = element.offsetTop;
      setGrid((known) => (known.columns === columns && known.top === top ? known : { columns, top }));
    };
    look();
    const observer = new ResizeObserver(look);
    observer.observe(around);
    return () => observer.disconnect();
  }, [list]);
  return grid;
}

interface CardFacts {
  agents: ReadonlyMap<string, string>;
  holderWords: (hold: WallHold) => string;
}

/** What all cards need to know, asked for once. */
function useCardFacts(): CardFacts {
  return { agents: useAgentNames(), holderWords: useHolderWords() };
}

interface CardProps extends CardFacts {
  id: string;
  row: number;
  column: number;
  at: number;
  of: number;
  chosen: boolean;
  open: (id: string) => void;
}

/** Draws again only when its own call changed, and moves nothing outside of itself. */
const CallCard = memo(function CallCard({ id, row, column, at, of, chosen, open, agents, holderWords }: CardProps) {
  const call = useLiveCall(id);
  if (call === undefined) return null;
  const turns = call.turns.slice(-TURNS_SHOWN);
  const mood = moodNow(call.turns);
  return (
    <li
      data-live-call={id}
      aria-setsize={of}
      aria-posinset={at + 1}
      style={{ gridRow: row + 1, gridColumn: column + 1 }}
      className="relative flex flex-col overflow-hidden rounded-2xl border border-line bg-card p-4 [contain:strict] has-aria-expanded:border-accent has-focus-visible:outline-2 has-focus-visible:outline-accent hover:border-faint"
    >
      <div className="flex items-center gap-2">
        <DirectionIcon call={call} />
        <button
          type="button"
          onClick={() => open(id)}
          aria-expanded={chosen || undefined}
          className="min-w-0 flex-1 truncate rounded text-left text-sm font-medium outline-none after:absolute after:inset-0 after:rounded-2xl"
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
        <Whose call={call} holderWords={holderWords} />
        <span className="min-w-0 flex-1 truncate">{agents.get(call.agent)}</span>
        {mood !== null && <MoodSign value={mood} />}
      </p>
      <ol className="mt-3 flex min-h-0 flex-1 flex-col justify-end gap-1.5 text-[0.8125rem] leading-snug">
        {turns.length === 0 && <li className="text-faint">{t("live.nothing_said")}</li>}
        {turns.map((turn) => (
          <li key={turn.seq} className="line-clamp-2 shrink-0">
            <span className={`font-medium ${INKS[turn.role] ?? "text-caller-ink"}`}>
              {t(ROLES[turn.role] ?? "call.caller")}
            </span>{" "}
            {turn.text}
          </li>
        ))}
      </ol>
    </li>
  );
});

const INKS: Record<string, string> = { agent: "text-agent-ink", person: "text-person-ink" };
const ROLES: Record<string, MessageKey> = { agent: "call.agent", person: "supervise.person" };

/** Who has the call or, of the two, who spoke last: an answer that is long in coming is seen from afar. */
function Whose({ call, holderWords }: { call: LiveCall } & Pick<CardFacts, "holderWords">) {
  if (call.hold !== undefined) {
    return (
      <span
        data-held-by=""
        className="max-w-40 truncate rounded-full bg-person/12 px-2 py-0.5 text-xs font-medium text-person-ink"
      >
        {holderWords(call.hold)}
      </span>
    );
  }
  if (call.waiting != null) {
    return (
      <span className="max-w-40 truncate rounded-full bg-warn/12 px-2 py-0.5 text-xs font-medium text-warn">
        {t("supervise.waits")}
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
