/** Addresses were in the fragment once; links and bookmarks from then still lead where they led. */
export function oldAddress(hash: string): string | null {
  if (!hash.startsWith("#/")) return null;
  const [, view, id] = hash.split("/");
  if (view === "calls") return id ? `/calls/${encodeURIComponent(decodeURIComponent(id))}` : "/calls";
  return "/talk";
}
