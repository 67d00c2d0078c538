import { api } from "../../api/client";
import { callerName } from "../../call/names";
import { t } from "../../i18n";
import { csv } from "../../lib/csv";
import { download } from "../../lib/download";
import { stateWords } from "./call-list";
import { fetchCalls } from "./query";
import type { CallsSearch } from "./search";

/** More than this is a job for the API, and the file says where it stops. */
const ROWS_MAX = 10_000;
const EXPORT_MS_MAX = 120_000;

/** Writes what the list is narrowed to as a file for spreadsheets; returns how many calls are in it. */
export async function exportCalls(search: CallsSearch, progress: (rows: number) => void): Promise<number> {
  const signal = AbortSignal.timeout(EXPORT_MS_MAX);
  const { data } = await api.GET("/api/v1/agents", { signal });
  const agents = new Map((data?.items ?? []).map(({ id, name }) => [id, name]));
  const columns = [
    t("calls.begun"),
    t("calls.who"),
    t("calls.agent"),
    t("calls.direction"),
    t("calls.number"),
    t("calls.state"),
    t("calls.ended"),
    t("calls.seconds"),
    t("calls.cost_usd"),
    t("calls.id"),
  ];
  const rows: (string | number | null)[][] = [];
  let cursor: string | null = "";
  while (cursor !== null && rows.length < ROWS_MAX) {
    const page = await fetchCalls(search, cursor, signal);
    for (const call of page.items) {
      const from = call.answered_at_ms ?? call.started_at_ms;
      rows.push([
        new Date(call.started_at_ms).toISOString(),
        callerName(call),
        agents.get(call.agent) ?? call.agent,
        t(call.direction === "inbound" ? "calls.inbound" : "calls.outbound"),
        call.number ?? null,
        stateWords(call.state),
        call.ended_reason ?? null,
        call.ended_at_ms == null ? null : Math.round((call.ended_at_ms - from) / 1000),
        call.cost_usd_micros / 1e6,
        call.id,
      ]);
    }
    progress(rows.length);
    cursor = page.next;
  }
  const day = new Date().toISOString().slice(0, 10);
  download(`calls-${day}.csv`, new Blob([csv([columns, ...rows])], { type: "text/csv;charset=utf-8" }));
  return rows.length;
}
