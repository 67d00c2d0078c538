import { useMemo } from "react";
import { $api } from "../../api/client";
import { useCan } from "../../auth/me";

/** Names of agents by their ids; a nicety, so that a failure leaves rows without them. */
export function useAgentNames(): ReadonlyMap<string, string> {
  const can = useCan();
  const { data } = $api.useQuery("get", "/api/v1/agents", {}, { enabled: can("agents:read"), staleTime: 60_000 });
  return useMemo(() => new Map((data?.items ?? []).map(({ id, name }) => [id, name])), [data]);
}
