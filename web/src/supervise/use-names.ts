import { useCallback, useMemo } from "react";
import { $api } from "../api/client";
import { useCan, useMe } from "../auth/me";
import { t } from "../i18n";
import type { WallHold } from "../live/picture";

/** How somebody is called who did something in a call, from kind and id of their credential. */
export function useDeskNames(): (by: string | null) => string {
  const can = useCan();
  const me = useMe();
  const query = { params: { query: { limit: 100 } } };
  const { data } = $api.useQuery("get", "/api/v1/users", query, { enabled: can("people:read"), staleTime: 60_000 });
  const names = useMemo(() => new Map((data?.items ?? []).map(({ id, name }) => [`user:${id}`, name])), [data]);
  return useCallback(
    (by) => {
      if (by !== null && by === actorName(me)) return t("supervise.you");
      return (by !== null && names.get(by)) || t("supervise.somebody");
    },
    [names, me],
  );
}

/** Who has a call instead of its agent, in words: “With Kim”. */
export function useHolderWords(): (hold: WallHold) => string {
  const me = actorName(useMe());
  const nameOf = useDeskNames();
  return useCallback(
    ({ by, name }) => {
      if (by === me) return t("supervise.with_you");
      const known = name ?? nameOf(by);
      return known === t("supervise.somebody") ? t("supervise.with_person") : t("supervise.with_name", { name: known });
    },
    [me, nameOf],
  );
}

/** How the journals of calls name whoever makes the requests of this page. */
export function actorName(me: { kind: string; id?: string | null }): string {
  return me.id == null ? me.kind : `${me.kind}:${me.id}`;
}
