import { useCallback, useEffect, useRef, useState } from "react";
import { ApiError, listAgents, listCalls } from "../api/client";
import type { Agent, Call } from "../api/types";
import { endedWords, plainWords } from "../call/words";
import { clock, day, timeOfDay } from "./format";
import { ChevronIcon, InboundIcon, OutboundIcon } from "./icons";
import { Notice } from "./notice";

const PAGE_CALLS = 20;

export function CallsPage() {
  const [calls, setCalls] = useState<Call[] | null>(null);
  const [cursor, setCursor] = useState<string | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const agents = useAgentNames();
  const stop = useRef<AbortController | null>(null);

  const load = useCallback(async (from: string | null) => {
    stop.current?.abort();
    const current = new AbortController();
    stop.current = current;
    setBusy(true);
    setProblem(null);
    try {
      const page = await listCalls(PAGE_CALLS, from, current.signal);
      setCalls((known) => (from === null ? page.items : [...(known ?? []), ...page.items]));
      setCursor(page.next_cursor);
    } catch (error) {
      if (current.signal.aborted) return;
      setProblem(error instanceof ApiError ? error.message : "The calls could not be loaded.");
    }
    setBusy(false);
  }, []);

  useEffect(() => {
    void load(null);
    return () => stop.current?.abort();
  }, [load]);

  return (
    <div className="h-full overflow-y-auto">
      <div className="mx-auto max-w-2xl px-4 py-8 sm:px-6">
        <h1 className="px-3 text-2xl font-semibold tracking-tight">Calls</h1>
        {problem !== null && (
          <Notice
            action={
              <button type="button" className="font-medium underline" onClick={() => void load(cursor)}>
                Try again
              </button>
            }
          >
            {problem}
          </Notice>
        )}
        {calls === null && problem === null && <Skeleton />}
        {calls?.length === 0 && (
          <p className="mt-6 px-3 text-soft">
            No calls yet.{" "}
            <a href="#/" className="text-accent-deep underline underline-offset-4">
              Make the first one
            </a>
            .
          </p>
        )}
        {calls !== null && <CallGroups calls={calls} agents={agents} />}
        {cursor !== null && (
          <button
            type="button"
            disabled={busy}
            onClick={() => void load(cursor)}
            className="mx-auto mt-6 block rounded-2xl border border-line px-4 py-2.5 text-sm font-medium hover:bg-sunken disabled:opacity-60"
          >
            {busy ? "Loading…" : "Earlier calls"}
          </button>
        )}
      </div>
    </div>
  );
}

function useAgentNames(): Map<string, Agent> {
  const [agents, setAgents] = useState<Map<string, Agent>>(new Map());
  useEffect(() => {
    const stop = new AbortController();
    listAgents(stop.signal)
      .then((items) => setAgents(new Map(items.map((agent) => [agent.id, agent]))))
      .catch(() => {
        // Names are a nicety; the rows say enough without them.
      });
    return () => stop.abort();
  }, []);
  return agents;
}

function CallGroups({ calls, agents }: { calls: Call[]; agents: Map<string, Agent> }) {
  const now = Date.now();
  const groups = Map.groupBy(calls, (call) => day(call.started_at_ms, now));
  return [...groups].map(([title, members]) => (
    <section key={title} className="mt-7">
      <h2 className="mb-1 px-3 text-xs font-medium text-faint">{title}</h2>
      <ul>
        {members.map((call) => (
          <li key={call.id}>
            <CallRow call={call} agentName={agents.get(call.agent)?.name} />
          </li>
        ))}
      </ul>
    </section>
  ));
}

function CallRow({ call, agentName }: { call: Call; agentName: string | undefined }) {
  const Arrow = call.direction === "inbound" ? InboundIcon : OutboundIcon;
  const from = call.answered_at_ms ?? call.started_at_ms;
  const running = call.ended_at_ms === null;
  const bad = ["failed", "busy", "no_answer", "canceled"].includes(call.state);
  return (
    <a
      href={`#/calls/${call.id}`}
      data-call={call.id}
      className="flex items-center gap-4 rounded-2xl px-3 py-3 transition-colors hover:bg-sunken"
    >
      <Arrow className={`size-4 shrink-0 ${bad ? "text-danger" : "text-faint"}`} />
      <span className="min-w-0 flex-1">
        <span className="block truncate font-medium">{callerName(call)}</span>
        <span className="block truncate text-sm text-soft">
          {[agentName, bad ? plainWords(call.state) : call.ended_reason && endedWords(call.ended_reason, "The caller")]
            .filter(Boolean)
            .join(" · ")}
        </span>
      </span>
      {running ? (
        <span className="rounded-full bg-accent/12 px-2.5 py-1 text-xs font-medium text-accent-deep">Now</span>
      ) : (
        <span className="text-right text-sm text-soft tabular-nums">
          <span className="block">{timeOfDay(call.started_at_ms)}</span>
          <span className="block text-faint">{clock((call.ended_at_ms ?? from) - from)}</span>
        </span>
      )}
      <ChevronIcon className="size-4 shrink-0 text-faint" />
    </a>
  );
}

export function callerName(call: Call): string {
  if (call.customer !== null) return call.customer;
  return call.carrier === "browser" ? "Browser" : plainWords(call.carrier);
}

function Skeleton() {
  return (
    <div className="mt-8 flex flex-col gap-3 px-3" role="status">
      <span className="sr-only">Loading</span>
      {[0, 1, 2, 3].map((row) => (
        <span key={row} className="h-12 animate-pulse rounded-2xl bg-sunken" />
      ))}
    </div>
  );
}
