import { api } from "../../api/client";
import type { paths } from "../../api/schema.gen";
import type { Call } from "../../api/types";
import type { CallsSearch } from "./search";

type Query = NonNullable<paths["/api/v1/calls"]["get"]["parameters"]["query"]>;

export interface CallsPage {
  items: Call[];
  next: string | null;
}

const PAGE = 100;
/** Conversations whose words match; more are found by narrowing the days. */
const FOUND_MAX = 100;
/** Pages of calls that are looked through for what was found. */
const FOUND_PAGES_MAX = 10;
/** A call begins a moment before or after its conversation. */
const AROUND_MS = 120_000;

/** Days of the viewer's zone as the milliseconds that the API takes. */
export function queryOf({ q: _words, from, to, ...rest }: CallsSearch): Query {
  const until = to === undefined ? null : new Date(`${to}T00:00`);
  // The day after, which is not always 24 hours later.
  until?.setDate(until.getDate() + 1);
  return {
    ...rest,
    ...(from === undefined ? {} : { from_ms: new Date(`${from}T00:00`).getTime() }),
    ...(until === null ? {} : { to_ms: until.getTime() }),
  };
}

export async function fetchCalls(search: CallsSearch, cursor: string, signal: AbortSignal): Promise<CallsPage> {
  if (search.q !== undefined) return { items: await find(search.q, queryOf(search), signal), next: null };
  return fetchPage({ ...queryOf(search), limit: PAGE, ...(cursor === "" ? {} : { cursor }) }, signal);
}

export async function fetchPage(query: Query, signal: AbortSignal): Promise<CallsPage> {
  const { data } = await api.GET("/api/v1/calls", { params: { query }, signal });
  return { items: data?.items ?? [], next: data?.next_cursor ?? null };
}

/** By what was said: conversations are searched, and the calls that they belong to are shown. */
async function find(q: string, query: Query, signal: AbortSignal): Promise<Call[]> {
  const { agent, customer, from_ms, to_ms } = query;
  const narrowed = Object.fromEntries(
    Object.entries({ agent, customer, from_ms, to_ms }).filter(([, value]) => value !== undefined),
  );
  const { data: found } = await api.GET("/api/v1/conversations", {
    params: { query: { q, limit: FOUND_MAX, ...narrowed } },
    signal,
  });
  const conversations = found?.items ?? [];
  if (conversations.length === 0) return [];
  const wanted = new Set(conversations.map(({ id }) => id));
  const times = conversations.map(({ started_at_ms }) => started_at_ms);
  const range = { from_ms: Math.min(...times) - AROUND_MS, to_ms: Math.max(...times) + AROUND_MS };
  const calls: Call[] = [];
  let cursor: string | null = null;
  for (let page = 0; page < FOUND_PAGES_MAX; page++) {
    const around: Query = { ...query, ...range, limit: PAGE, ...(cursor === null ? {} : { cursor }) };
    const found = await fetchPage(around, signal);
    calls.push(...found.items.filter(({ conversation }) => wanted.has(conversation)));
    cursor = found.next;
    if (cursor === null) break;
  }
  return calls;
}
