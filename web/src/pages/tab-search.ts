/** Which of a page's tabs is open; the first one when left out. */
export function tabSearch(search: Record<string, unknown>): { tab?: string } {
  return typeof search.tab === "string" ? { tab: search.tab } : {};
}
