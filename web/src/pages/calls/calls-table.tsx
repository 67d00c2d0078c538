import { Link, useNavigate } from "@tanstack/react-router";
import { createColumnHelper, tableFeatures, useTable } from "@tanstack/react-table";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useMemo, useRef } from "react";
import type { Call } from "../../api/types";
import { callerName } from "../../call/names";
import { endedWords } from "../../call/words";
import { t } from "../../i18n";
import { clock, dollars, shortDate } from "../../ui/format";
import { DirectionIcon, StateBadge, wasMissed } from "./call-list";

const ROW_PX = 45;
/** Rows beyond the edge that are drawn already. */
const AHEAD = 12;
/** The next page is asked for when so many rows are left. */
const NEAR_END = 30;

const features = tableFeatures({});
const helper = createColumnHelper<typeof features, Call>();
const WIDTHS: Record<string, string> = {
  who: "",
  agent: "w-32 max-lg:hidden",
  state: "w-32 max-sm:w-26",
  ended: "w-44 max-xl:hidden",
  begun: "w-36 max-sm:hidden",
  lasted: "w-20 text-right max-sm:w-16",
  cost: "w-24 text-right max-md:hidden",
};

interface TableProps {
  calls: Call[];
  agents: ReadonlyMap<string, string>;
  more: boolean;
  loading: boolean;
  onEnd: () => void;
}

/** Any number of calls: only the rows in sight are drawn, and the next page comes before the end does. */
export function CallsTable({ calls, agents, more, loading, onEnd }: TableProps) {
  const box = useRef<HTMLDivElement>(null);
  const navigate = useNavigate();
  const columns = useMemo(() => columnsOf(agents), [agents]);
  const table = useTable({ features, columns, data: calls, getRowId: (call) => call.id });
  const { rows } = table.getRowModel();
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => box.current,
    estimateSize: () => ROW_PX,
    overscan: AHEAD,
  });
  const drawn = virtual.getVirtualItems();
  const last = drawn.at(-1)?.index ?? 0;
  useEffect(() => {
    if (more && !loading && last >= rows.length - NEAR_END) onEnd();
  }, [more, loading, last, rows.length, onEnd]);
  const above = drawn[0]?.start ?? 0;
  const below = virtual.getTotalSize() - (drawn.at(-1)?.end ?? 0);
  return (
    <section
      ref={box}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard.
      tabIndex={0}
      aria-label={t("calls.title")}
      className="h-full overflow-y-auto rounded-2xl border border-line bg-card"
    >
      <table className="w-full table-fixed text-sm" aria-rowcount={more ? -1 : rows.length + 1}>
        <thead className="sticky top-0 z-10 bg-card shadow-[inset_0_-1px_var(--color-line)]">
          {table.getHeaderGroups().map((group) => (
            <tr key={group.id} aria-rowindex={1}>
              {group.headers.map((header) => (
                <th
                  key={header.id}
                  scope="col"
                  className={`h-10 px-3 text-left text-[0.8125rem] font-medium text-soft first:pl-4 last:pr-4 ${WIDTHS[header.column.id] ?? ""}`}
                >
                  <table.FlexRender header={header} />
                </th>
              ))}
            </tr>
          ))}
        </thead>
        <tbody>
          {above > 0 && <Gap height={above} />}
          {drawn.map(({ index }) => {
            const row = rows[index];
            if (row === undefined) return null;
            const { id } = row.original;
            return (
              <tr
                key={row.id}
                aria-rowindex={index + 2}
                data-call={id}
                onClick={() => void navigate({ to: "/calls/$id", params: { id } })}
                className="h-[45px] cursor-pointer border-b border-line/60 transition-colors last:border-0 hover:bg-sunken/60"
              >
                {row.getAllCells().map((cell) => (
                  <td key={cell.id} className={`truncate px-3 first:pl-4 last:pr-4 ${WIDTHS[cell.column.id] ?? ""}`}>
                    <table.FlexRender cell={cell} />
                  </td>
                ))}
              </tr>
            );
          })}
          {below > 0 && <Gap height={below} />}
        </tbody>
      </table>
      {loading && (
        <p role="status" className="p-3 text-center text-sm text-soft">
          {t("shell.loading")}
        </p>
      )}
    </section>
  );
}

/** Stands for the rows that are not drawn. */
function Gap({ height }: { height: number }) {
  // biome-ignore lint/a11y/noAriaHiddenOnFocusable: nothing in it can have the focus.
  return <tr aria-hidden="true" style={{ height }} />;
}

function columnsOf(agents: ReadonlyMap<string, string>) {
  return helper.columns([
    helper.display({
      id: "who",
      header: () => t("calls.who"),
      cell: ({ row: { original: call } }) => (
        <span className="flex min-w-0 items-center gap-2.5">
          <DirectionIcon call={call} />
          <Link
            to="/calls/$id"
            params={{ id: call.id }}
            onClick={(event) => event.stopPropagation()}
            className="truncate rounded font-medium"
          >
            {callerName(call)}
          </Link>
        </span>
      ),
    }),
    helper.display({
      id: "agent",
      header: () => t("calls.agent"),
      cell: ({ row }) => <span className="text-soft">{agents.get(row.original.agent)}</span>,
    }),
    helper.display({
      id: "state",
      header: () => t("calls.state"),
      cell: ({ row }) => <StateBadge state={row.original.state} />,
    }),
    helper.display({
      id: "ended",
      header: () => t("calls.ended"),
      cell: ({ row: { original: call } }) =>
        call.ended_reason != null && !wasMissed(call) ? (
          <span className="text-soft">{endedWords(call.ended_reason, "others")}</span>
        ) : null,
    }),
    helper.display({
      id: "begun",
      header: () => t("calls.begun"),
      cell: ({ row }) => (
        <time dateTime={new Date(row.original.started_at_ms).toISOString()} className="text-soft tabular-nums">
          {shortDate(row.original.started_at_ms)}
        </time>
      ),
    }),
    helper.display({
      id: "lasted",
      header: () => t("calls.lasted"),
      cell: ({ row: { original: call } }) =>
        call.ended_at_ms == null ? null : (
          <span className="text-soft tabular-nums">
            {clock(call.ended_at_ms - (call.answered_at_ms ?? call.started_at_ms))}
          </span>
        ),
    }),
    helper.display({
      id: "cost",
      header: () => t("calls.cost"),
      cell: ({ row }) => <span className="text-soft tabular-nums">{dollars(row.original.cost_usd_micros)}</span>,
    }),
  ]);
}
