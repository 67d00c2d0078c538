import { useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "../../api/client";
import { t } from "../../i18n";
import { shortDate } from "../../ui/format";
import { Button } from "../../ui/kit/button";
import { TextField } from "../../ui/kit/field";
import { Empty, Problem, Skeleton } from "../../ui/kit/page";
import { Table } from "../../ui/kit/table";
import { whoWords } from "../people";
import { SectionHead } from "./section";

const ROWS = 50;
const DAY_MS = 86_400_000;

/** The beginning of a day of the viewer's zone. */
const dayMs = (day: string) => new Date(`${day}T00:00:00`).getTime();

export function AuditSection() {
  const [action, setAction] = useState("");
  const [from, setFrom] = useState("");
  const [to, setTo] = useState("");
  const filter = {
    ...(action === "" ? {} : { action }),
    ...(from === "" ? {} : { from_ms: dayMs(from) }),
    ...(to === "" ? {} : { before_ms: dayMs(to) + DAY_MS }),
  };
  const audit = useInfiniteQuery({
    queryKey: ["get", "/api/v1/audit", filter],
    queryFn: async ({ pageParam, signal }) => {
      const query = { ...filter, limit: ROWS, ...(pageParam === "" ? {} : { cursor: pageParam }) };
      const { data } = await api.GET("/api/v1/audit", { params: { query }, signal });
      return data ?? { items: [] };
    },
    initialPageParam: "",
    getNextPageParam: (page) => page.next_cursor ?? null,
  });
  const rows = audit.data?.pages.flatMap(({ items }) => items) ?? [];
  return (
    <>
      <SectionHead title={t("settings.audit")} lead={t("settings.audit_lead")} />
      <div className="mb-4 grid gap-3 sm:grid-cols-3">
        <TextField
          label={t("settings.audit_action")}
          placeholder="publish_agent"
          value={action}
          onChange={(event) => setAction(event.target.value.trim())}
        />
        <TextField
          label={t("settings.audit_from")}
          type="date"
          value={from}
          onChange={(e) => setFrom(e.target.value)}
        />
        <TextField label={t("settings.audit_to")} type="date" value={to} onChange={(e) => setTo(e.target.value)} />
      </div>
      {audit.isPending && <Skeleton />}
      {audit.error !== null && <Problem error={audit.error} retry={() => void audit.refetch()} />}
      {audit.isSuccess && rows.length === 0 && (
        <Empty title={t("settings.audit_none")}>{t("settings.audit_none_text")}</Empty>
      )}
      {rows.length > 0 && (
        <Table
          label={t("settings.audit")}
          rows={rows}
          rowKey={({ id }) => id}
          columns={[
            { name: "time", label: t("settings.audit_time"), cell: ({ at_ms }) => shortDate(at_ms) },
            {
              name: "action",
              label: t("settings.audit_what"),
              cell: (row) => <code className="font-mono text-xs">{row.action}</code>,
            },
            { name: "who", label: t("settings.audit_who"), cell: ({ actor }) => whoWords(actor) },
            {
              name: "subject",
              label: t("settings.audit_subject"),
              wide: true,
              cell: ({ subject }) => <span className="font-mono text-xs text-soft wrap-anywhere">{subject}</span>,
            },
            { name: "address", label: t("settings.audit_address"), wide: true, cell: ({ address }) => address ?? "" },
          ]}
        />
      )}
      {audit.hasNextPage && (
        <Button className="mt-3" busy={audit.isFetchingNextPage} onClick={() => void audit.fetchNextPage()}>
          {t("kit.more")}
        </Button>
      )}
    </>
  );
}
