/** The open tab, and the question of the tab that tries one: both can be sent to somebody as an address. */
export function knowledgeSearch(search: Record<string, unknown>): { tab?: string; question?: string } {
  return {
    ...(typeof search.tab === "string" ? { tab: search.tab } : {}),
    ...(typeof search.question === "string" && search.question !== "" ? { question: search.question } : {}),
  };
}
