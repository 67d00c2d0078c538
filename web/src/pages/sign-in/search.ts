/** Where to go after signing in; only within these pages. */
export function signInSearch(search: Record<string, unknown>): { to?: string } {
  const to = search.to;
  return typeof to === "string" && /^\/(?![/\\])/.test(to) ? { to } : {};
}

/**
 * The token of an invitation or a reset, as links carry it: `/reset#token=…`. In the fragment, because that is never sent to a
 * server and so stands in nobody's log.
 */
export function tokenIn(hash: string): string | null {
  return new URLSearchParams(hash.replace(/^#/, "")).get("token");
}
