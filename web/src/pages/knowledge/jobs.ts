import { useQuery } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { $api } from "../../api/client";
import type { components } from "../../api/schema.gen";
import { queryClient } from "../../shell/query-client";

export type Job = components["schemas"]["KnowledgeJob"];
export type JobDocument = components["schemas"]["KnowledgeJobDocument"];

const SHOWN_MAX = 30;
const BUSY_MS = 700;
/** Others add documents too, and sites are visited by themselves. */
const IDLE_MS = 15_000;
const init = { params: { query: { limit: SHOWN_MAX } } };
const jobsQuery = $api.queryOptions("get", "/api/v1/knowledge/jobs", init);

export function isActive({ state }: Job): boolean {
  return state === "queued" || state === "running";
}

/** All jobs, newest first; asked for often while one runs. */
export function useJobs() {
  return useQuery({
    ...jobsQuery,
    refetchInterval: ({ state }) => (state.data?.items.some(isActive) ? BUSY_MS : IDLE_MS),
  });
}

/** Shows a job at once that the server has just taken. */
export function jobAccepted(job: Job): void {
  queryClient.setQueryData<{ items: Job[] }>(jobsQuery.queryKey, (known) => ({
    ...known,
    items: [job, ...(known?.items ?? []).filter(({ id }) => id !== job.id)],
  }));
  refreshJobs();
}

/** After something that begins a job without answering with it. */
export function refreshJobs(): void {
  void queryClient.invalidateQueries({ queryKey: jobsQuery.queryKey });
}

/**
 * Everything that a job may have changed. What was just taken away is not asked for again by the page that still shows it:
 * `gone` is its name or id. Resolves once what is on the page is asked for again.
 */
export function refreshKnowledge(gone?: string): Promise<void> {
  return queryClient.invalidateQueries({
    predicate: ({ queryKey }) => {
      const path = String(queryKey[1]);
      if (!path.startsWith("/api/v1/knowledge/") || path.startsWith("/api/v1/knowledge/jobs")) return false;
      return gone === undefined || !isOf(queryKey[2], gone);
    },
  });
}

/** Whether a query is about this one thing: its options name it in their path, or it is named itself. */
function isOf(options: unknown, name: string): boolean {
  if (typeof options !== "object" || options === null) return options === name;
  const path: unknown = (options as { params?: { path?: unknown } }).params?.path;
  return typeof path === "object" && path !== null && Object.values(path).includes(name);
}

/**
 * The jobs that somebody who looks at the page wants to see: those that run, and those that ended since it was opened,
 * until they are dismissed.
 */
export function useWork(jobs: readonly Job[] | undefined): { work: Job[]; dismiss: (id: string) => void } {
  const [openedMs] = useState(() => Date.now());
  const [dismissed, setDismissed] = useState<ReadonlySet<string>>(new Set());
  const [seen, setSeen] = useState<ReadonlySet<string>>(new Set());
  const active = (jobs ?? []).filter(isActive).map(({ id }) => id);
  const before = useRef("");
  const key = active.join();
  useEffect(() => {
    // Every document that is done with counts: the list behind grows while a job runs.
    const now = `${key} ${(jobs ?? []).filter(isActive).reduce((sum, { done }) => sum + done, 0)}`;
    if (before.current !== "" && before.current !== now) refreshKnowledge();
    before.current = now;
  }, [key, jobs]);
  if (active.some((id) => !seen.has(id))) setSeen(new Set([...seen, ...active]));
  const work = (jobs ?? []).filter(
    (job) => !dismissed.has(job.id) && (isActive(job) || seen.has(job.id) || (job.finished_at_ms ?? 0) > openedMs),
  );
  return { work, dismiss: (id) => setDismissed(new Set([...dismissed, id])) };
}
