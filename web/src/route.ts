import { useSyncExternalStore } from "react";

/** Addresses live in the fragment, so that the server needs no rule for them. */
export type Route = { view: "talk" } | { view: "calls" } | { view: "call"; id: string };

export function parseRoute(hash: string): Route {
  const [, view, id] = hash.split("/");
  if (view === "calls") return id ? { view: "call", id: decodeURIComponent(id) } : { view: "calls" };
  return { view: "talk" };
}

function subscribe(changed: () => void): () => void {
  window.addEventListener("hashchange", changed);
  return () => window.removeEventListener("hashchange", changed);
}

export function useRoute(): Route {
  return parseRoute(useSyncExternalStore(subscribe, () => window.location.hash));
}
