/** Which call is open beside the wall, and what the wall is narrowed to. */
export interface LiveSearch {
  call?: string;
  q?: string;
  agent?: string;
}

export function liveSearch(search: Record<string, unknown>): LiveSearch {
  const text = (name: keyof LiveSearch) =>
    typeof search[name] === "string" && search[name] !== "" ? { [name]: search[name] } : {};
  return { ...text("call"), ...text("q"), ...text("agent") };
}
