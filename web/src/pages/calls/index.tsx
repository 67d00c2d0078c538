import { useNavigate, useSearch } from "@tanstack/react-router";
import { useMemo, useState } from "react";
import { t } from "../../i18n";
import { whole } from "../../ui/format";
import { CallsIcon, DownloadIcon, MicIcon } from "../../ui/icons";
import { Button, LinkButton } from "../../ui/kit/button";
import { Empty, PageHeader, Problem, Skeleton } from "../../ui/kit/page";
import { toast, toastProblem } from "../../ui/kit/toast";
import { CallsTable } from "./calls-table";
import { exportCalls } from "./export";
import { Filters } from "./filters";
import { PlaceCall } from "./place-call";
import type { CallsSearch } from "./search";
import { useAgentNames } from "./use-agent-names";
import { useCalls } from "./use-calls";
import { Views } from "./views";

export default function CallsPage() {
  const search = useSearch({ from: "/app/calls" });
  const navigate = useNavigate();
  const agents = useAgentNames();
  const calls = useCalls(search);
  const rows = useMemo(() => calls.data?.pages.flatMap((page) => page.items) ?? [], [calls.data]);
  const show = (next: CallsSearch) => void navigate({ to: "/calls", search: next, replace: true });
  const narrowed = Object.keys(search).length > 0;
  return (
    <div className="flex h-full flex-col">
      <div className="px-4 pt-6 sm:px-8 sm:pt-8">
        <PageHeader
          title={t("calls.title")}
          actions={
            <>
              <PlaceCall />
              <Export search={search} disabled={rows.length === 0} />
            </>
          }
        />
        <div className="-mt-2 flex flex-col gap-3 pb-4">
          <Filters search={search} show={show} agents={agents} />
          <Views search={search} show={show} />
        </div>
      </div>
      <div className="min-h-0 flex-1 px-4 pb-4 sm:px-8 sm:pb-6">
        {calls.isPending && <Skeleton rows={8} />}
        {calls.error !== null && <Problem error={calls.error} retry={() => void calls.refetch()} />}
        {calls.isSuccess && rows.length === 0 && (
          <Empty
            icon={<CallsIcon />}
            title={narrowed ? t("calls.none_match") : t("home.no_calls_yet")}
            action={
              narrowed ? (
                <Button onClick={() => show({})}>{t("calls.clear")}</Button>
              ) : (
                <LinkButton to="/talk" tone="primary" icon={<MicIcon className="size-4" />}>
                  {t("home.talk")}
                </LinkButton>
              )
            }
          >
            {narrowed ? t("calls.none_match_help") : t("home.no_calls_help")}
          </Empty>
        )}
        {rows.length > 0 && (
          <CallsTable
            calls={rows}
            agents={agents}
            more={calls.hasNextPage}
            loading={calls.isFetchingNextPage}
            onEnd={() => void calls.fetchNextPage()}
          />
        )}
      </div>
    </div>
  );
}

function Export({ search, disabled }: { search: CallsSearch; disabled: boolean }) {
  const [done, setDone] = useState<number | null>(null);
  const run = async () => {
    setDone(0);
    try {
      const count = await exportCalls(search, setDone);
      toast(t("calls.exported", { count }));
    } catch (error) {
      toastProblem(error);
    }
    setDone(null);
  };
  return (
    <Button
      disabled={disabled}
      busy={done !== null}
      icon={<DownloadIcon className="size-4" />}
      onClick={() => void run()}
    >
      {done === null ? t("calls.export") : t("calls.exporting", { count: whole(done) })}
    </Button>
  );
}
