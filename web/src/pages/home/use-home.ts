import { useQueries, useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { $api } from "../../api/client";
import type { Call, JournalRecord } from "../../api/types";
import { useCan } from "../../auth/me";
import { startOfDay } from "../../ui/format";
import { fetchPage } from "../calls/query";
import { percentile, waits } from "./summary";

const PAGE = 100;
/** A day of more calls than this is counted from its newest ones, and the page says so. */
const PAGES_MAX = 20;
/** The answers of this many of the last calls make up the time to answer. */
const TIMED_CALLS = 12;
const SPARK_DAYS = 14;

export interface Today {
  from_ms: number;
  calls: Call[];
  /** There were more than could be counted. */
  partial: boolean;
}

export function useToday() {
  const can = useCan();
  const from_ms = startOfDay(Date.now());
  return useQuery({
    queryKey: ["get", "/api/v1/calls", "today", from_ms],
    enabled: can("calls:read"),
    queryFn: async ({ signal }): Promise<Today> => {
      const calls: Call[] = [];
      let cursor: string | null = null;
      for (let page = 0; page < PAGES_MAX; page++) {
        const found = await fetchPage({ from_ms, limit: PAGE, ...(cursor === null ? {} : { cursor }) }, signal);
        calls.push(...found.items);
        cursor = found.next;
        if (cursor === null) return { from_ms, calls, partial: false };
      }
      return { from_ms, calls, partial: true };
    },
  });
}

/** Time to answer over the last calls: read from their journals, which is where the truth of it is. */
export function useAnswerTimes(calls: readonly Call[] | undefined) {
  const timed = (calls ?? []).filter((call) => call.ended_at_ms != null && call.answered_at_ms != null);
  const details = useQueries({
    queries: timed
      .slice(0, TIMED_CALLS)
      .map(({ id }) =>
        $api.queryOptions("get", "/api/v1/calls/{id}", { params: { path: { id } } }, { staleTime: 3_600_000 }),
      ),
    combine: (results) => results.map(({ data }) => data),
  });
  return useMemo(() => {
    const known = details.filter((detail) => detail !== undefined);
    const all = known.flatMap((detail) => waits(detail.journal as unknown as JournalRecord[]));
    return {
      calls: known.length,
      answers: all.length,
      p50: percentile(all, 0.5),
      p95: percentile(all, 0.95),
      /** Of each call its median, the oldest first. */
      line: known
        .toReversed()
        .flatMap((detail) => percentile(waits(detail.journal as unknown as JournalRecord[]), 0.5) ?? []),
    };
  }, [details]);
}

/** Cost of the last days and of the month, in UTC days as they are counted. */
export function useSpending() {
  const can = useCan();
  const now = new Date();
  const month = now.toISOString().slice(0, 7);
  const before = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - 1, 1)).toISOString().slice(0, 7);
  const enabled = can("usage:read");
  const at = (name: string) => ({ params: { path: { month: name } } });
  const current = $api.useQuery("get", "/api/v1/usage/{month}", at(month), { enabled });
  const last = $api.useQuery("get", "/api/v1/usage/{month}", at(before), { enabled, staleTime: 3_600_000 });
  return useMemo(() => {
    const costs = new Map([...(last.data?.days ?? []), ...(current.data?.days ?? [])].map((day) => [day.day, day]));
    const days = Array.from({ length: SPARK_DAYS }, (_, index) => {
      const day = new Date(Date.now() - (SPARK_DAYS - 1 - index) * 86_400_000).toISOString().slice(0, 10);
      return costs.get(day);
    });
    return {
      known: current.data !== undefined,
      month_usd_micros: current.data?.total.cost_usd_micros ?? 0,
      month_calls: current.data?.total.calls ?? 0,
      calls_limit: current.data?.calls_limit ?? null,
      costs: days.map((day) => day?.cost_usd_micros ?? 0),
      calls: days.map((day) => (day?.calls ?? 0) + (day?.calls_unanswered ?? 0)),
    };
  }, [current.data, last.data]);
}
