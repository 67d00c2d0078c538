import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { api } from "../../api/client";
import { callerName } from "../../call/names";
import { t } from "../../i18n";
import { shortDate } from "../../ui/format";
import { Page, Problem, Skeleton } from "../../ui/kit/page";

export default function CallsPage() {
  const calls = useInfiniteQuery({
    queryKey: ["get", "/api/v1/calls", "pages"],
    queryFn: async ({ pageParam, signal }) => {
      const query = { limit: 100, ...(pageParam === "" ? {} : { cursor: pageParam }) };
      const { data } = await api.GET("/api/v1/calls", { params: { query }, signal });
      return data ?? { items: [] };
    },
    initialPageParam: "",
    getNextPageParam: (page) => page.next_cursor ?? null,
  });
  return (
    <Page title={t("calls.title")}>
      {calls.isPending && <Skeleton />}
      {calls.error !== null && <Problem error={calls.error} retry={() => void calls.refetch()} />}
      <ul>
        {(calls.data?.pages ?? [])
          .flatMap((page) => page.items)
          .map((call) => (
            <li key={call.id}>
              <Link to="/calls/$id" params={{ id: call.id }} data-call={call.id}>
                {callerName(call)} {shortDate(call.started_at_ms)}
              </Link>
            </li>
          ))}
      </ul>
    </Page>
  );
}
