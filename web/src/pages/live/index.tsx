import { useNavigate, useSearch } from "@tanstack/react-router";
import { useCallback, useDeferredValue, useEffect, useRef, useState } from "react";
import { useCan } from "../../auth/me";
import { callerName } from "../../call/names";
import { t } from "../../i18n";
import type { LiveCall } from "../../live/picture";
import { useLiveCount, useLivePick, useLiveReady } from "../../live/use-live";
import { LiveIcon, MicIcon } from "../../ui/icons";
import { LinkButton } from "../../ui/kit/button";
import { Select, TextField } from "../../ui/kit/field";
import { Empty, Page, Skeleton } from "../../ui/kit/page";
import { useAgentNames } from "../calls/use-agent-names";
import { CallPanel } from "./call-panel";
import { type LiveSearch, liveSearch } from "./search";
import { Waiting } from "./waiting";
import { Wall } from "./wall";

const ADDRESS_MS = 400;

export default function LivePage() {
  const search = useSearch({ from: "/app/live" });
  const navigate = useNavigate();
  const can = useCan();
  const ready = useLiveReady();
  const agents = useAgentNames();
  const count = useLiveCount();
  const scroller = useRef<HTMLDivElement>(null);
  const [words, setWords] = useState(search.q ?? "");
  const sought = useDeferredValue(words);
  const { agent } = search;
  const shown = useLivePick(useCallback((calls) => pick(calls, sought, agent), [sought, agent]));
  const narrow = useCallback(
    (change: Partial<LiveSearch>) => {
      void navigate({ from: "/live", to: "/live", search: (now) => liveSearch({ ...now, ...change }), replace: true });
    },
    [navigate],
  );
  const open = useCallback((call: string) => narrow({ call }), [narrow]);
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
          lead={t("live.lead", { count })}
          width="full"
          scroller={scroller}
          actions={
            count > 0 && (
              <>
                <TextField
                  bare
                  type="search"
                  label={t("live.find")}
                  placeholder={t("live.find")}
                  value={words}
                  onChange={(event) => seek(event.target.value)}
                  className="w-48 max-sm:w-full"
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
          {ready && count === 0 && (
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
          <Waiting open={open} />
          {ready && count > 0 && shown.length === 0 && <p className="text-sm text-soft">{t("live.none_match")}</p>}
          {shown.length > 0 && <Wall ids={shown} chosen={search.call} open={open} scroller={scroller} />}
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
