import { type InfiniteData, useInfiniteQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import type { Call } from "../../api/types";
import { useBusinessEvents } from "../../live/use-live";
import { type CallsPage, fetchCalls } from "./query";
import type { CallsSearch } from "./search";

/** The list is brought up to date at most this often, however much happens. */
const FRESH_MS = 2_000;

type Pages = InfiniteData<CallsPage, string>;

/** Calls page by page. However far somebody has scrolled, one request brings the list up to date. */
export function useCalls(search: CallsSearch) {
  const queryKey = ["calls", "pages", search] as const;
  const client = useQueryClient();
  const timer = useRef(0);
  const stop = useRef<AbortController | null>(null);
  const calls = useInfiniteQuery({
    queryKey,
    queryFn: ({ pageParam, signal }) => fetchCalls(search, pageParam, signal),
    initialPageParam: "",
    getNextPageParam: (page) => page.next,
  });
  useEffect(
    () => () => {
      window.clearTimeout(timer.current);
      timer.current = 0;
      stop.current?.abort();
    },
    [],
  );
  const freshen = async () => {
    timer.current = 0;
    stop.current = new AbortController();
    try {
      const first = await fetchCalls(search, "", stop.current.signal);
      client.setQueryData<Pages>(queryKey, (known) => known && { ...known, pages: mergePages(known.pages, first) });
    } catch {
      // The next event tries again; what is shown stays.
    }
  };
  const changed = useRef(new Map<string, Call>());
  useBusinessEvents((event) => {
    if (!event.kind.startsWith("call.")) return;
    if (event.kind !== "call.deleted" && "state" in event.data) {
      changed.current.set(event.subject, event.data as unknown as Call);
    }
    if (timer.current !== 0) return;
    timer.current = window.setTimeout(() => {
      const facts = changed.current;
      changed.current = new Map();
      client.setQueryData<Pages>(queryKey, (known) => known && { ...known, pages: patchPages(known.pages, facts) });
      void freshen();
    }, FRESH_MS);
  });
  return calls;
}

/** A fresh first page before what is known already: the newest come first, and nobody stands there twice. */
export function mergePages(pages: readonly CallsPage[], first: CallsPage): CallsPage[] {
  const [known, ...rest] = pages;
  if (known === undefined || rest.length === 0) return [first];
  const fresh = new Set(first.items.map(({ id }) => id));
  const without = (items: Call[]) => items.filter(({ id }) => !fresh.has(id));
  return [{ ...known, items: [...first.items, ...without(known.items)] }, ...patched(rest, without)];
}

/** Rows that are shown, as events tell of them. */
export function patchPages(pages: readonly CallsPage[], facts: ReadonlyMap<string, Call>): CallsPage[] {
  return patched(pages, (items) =>
    items.some(({ id }) => facts.has(id)) ? items.map((call) => ({ ...call, ...facts.get(call.id) })) : items,
  );
}

function patched(pages: readonly CallsPage[], change: (items: Call[]) => Call[]): CallsPage[] {
  return pages.map((page) => {
    const items = change(page.items);
    return items === page.items ||
      (items.length === page.items.length && items.every((one, at) => one === page.items[at]))
      ? page
      : { ...page, items };
  });
}
