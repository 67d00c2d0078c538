/** Where to go after signing in; only within these pages. */
export function signInSearch(search: Record<string, unknown>): { to?: string } {
  const to = search.to;
  return typeof to === "string" && /^\/(?![/\\])/.test(to) ? { to } : {};
}

/** The token of an invitation or a reset, as links carry it. */
export function tokenSearch(search: Record<string, unknown>): { token?: string } {
  return typeof search.token === "string" ? { token: search.token } : {};
}
