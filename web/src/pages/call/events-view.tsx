import { useInfiniteQuery } from "@tanstack/react-query";
import { api } from "../../api/client";
import type { JournalRecord } from "../../api/types";
import { t } from "../../i18n";
import { clock } from "../../ui/format";
import { Button } from "../../ui/kit/button";
import { Problem, Skeleton } from "../../ui/kit/page";

const PAGE = 100;

/** Everything that was written about the call: what the platform told, and what the engine decided. */
export function EventsView({
  id,
  startedAtMs,
  journal,
}: {
  id: string;
  startedAtMs: number;
  journal: JournalRecord[];
}) {
  const log = useInfiniteQuery({
    queryKey: ["get", "/api/v1/calls/{id}/log", id],
    queryFn: async ({ pageParam, signal }) => {
      const query = { limit: PAGE, ...(pageParam === "" ? {} : { cursor: pageParam }) };
      const { data } = await api.GET("/api/v1/calls/{id}/log", { params: { path: { id }, query }, signal });
      return data ?? { items: [] };
    },
    initialPageParam: "",
    getNextPageParam: (page) => page.next_cursor ?? null,
  });
  const platform = (log.data?.pages ?? []).flatMap(({ items }) => items);
  return (
    <div className="flex flex-col gap-8">
      <section>
        <h2 className="mb-2 text-sm font-semibold">{t("call.engine_events")}</h2>
        <Rows
          rows={journal.map(({ seq, at, entry: { entry, ...rest } }) => ({
            key: `j${seq}`,
            at: clock(at),
            kind: entry,
            data: rest,
          }))}
        />
      </section>
      <section>
        <h2 className="mb-2 text-sm font-semibold">{t("call.platform_events")}</h2>
        {log.isPending && <Skeleton rows={3} className="h-8" />}
        {log.error !== null && <Problem error={log.error} retry={() => void log.refetch()} />}
        {log.isSuccess && platform.length === 0 && <p className="text-sm text-soft">{t("call.no_events")}</p>}
        <Rows
          rows={platform.map((event) => ({
            key: `l${event.id}`,
            at: clock(event.at_ms - startedAtMs),
            kind: event.kind,
            data: event.data,
          }))}
        />
        {log.hasNextPage && (
          <Button size="sm" className="mt-3" busy={log.isFetchingNextPage} onClick={() => void log.fetchNextPage()}>
            {t("call.more_events")}
          </Button>
        )}
      </section>
    </div>
  );
}

interface RowsProps {
  rows: { key: string; at: string; kind: string; data: object }[];
}

function Rows({ rows }: RowsProps) {
  return (
    <ol className="flex flex-col divide-y divide-line text-[0.8125rem]">
      {rows.map(({ key, at, kind, data }) => (
        <li key={key} className="grid grid-cols-[3.5rem_minmax(7rem,11rem)_minmax(0,1fr)] items-baseline gap-3 py-1.5">
          <span className="font-mono text-xs text-soft tabular-nums">{at}</span>
          <span className="font-medium wrap-anywhere">{kind.replaceAll("_", " ")}</span>
          <code className="font-mono text-xs text-soft wrap-anywhere">
            {Object.keys(data).length === 0 ? "" : JSON.stringify(data)}
          </code>
        </li>
      ))}
    </ol>
  );
}
