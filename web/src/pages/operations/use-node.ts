import { useQuery } from "@tanstack/react-query";
import { api } from "../../api/client";
import { readMetrics, type Sample } from "./metrics";

const LOOK_MS = 5_000;
/** Ten minutes of looks, for what changes; kept while the page of the browser is open. */
const LOOKS_KEPT = 120;

export interface Look {
  at_ms: number;
  samples: Sample[];
}

const looks: Look[] = [];

/** What the node that answers counts, now and at the looks before. */
export function useLooks() {
  return useQuery({
    queryKey: ["get", "/metrics"],
    refetchInterval: LOOK_MS,
    queryFn: async ({ signal }): Promise<Look[]> => {
      const { data } = await api.GET("/metrics", { parseAs: "text", signal });
      looks.push({ at_ms: Date.now(), samples: readMetrics(data ?? "") });
      looks.splice(0, looks.length - LOOKS_KEPT);
      return [...looks];
    },
  });
}

/** Whether the node takes calls. */
export function useReady() {
  return useQuery({
    queryKey: ["get", "/readyz"],
    refetchInterval: LOOK_MS,
    retry: false,
    queryFn: async ({ signal }) => (await api.GET("/readyz", { parseAs: "text", signal })).data ?? "",
  });
}
