import { useNavigate } from "@tanstack/react-router";
import { useEffect, useSyncExternalStore } from "react";
import type { Can } from "../auth/me";
import { placesFor } from "./nav";

type Overlay = "palette" | "help" | null;

/** `g` and the letter of a page must follow each other within this time. */
const SEQUENCE_MS = 1_200;

let overlay: Overlay = null;
const subscribers = new Set<() => void>();

function show(next: Overlay): void {
  overlay = next;
  for (const subscriber of subscribers) subscriber();
}

export const openPalette = () => show("palette");
export const openHelp = () => show("help");
export const closeOverlay = () => show(null);

/** The keys that work everywhere; returns what lies over the page because of them. */
export function useShortcuts(can: Can): Overlay {
  const navigate = useNavigate();
  useEffect(() => {
    let goUntil = 0;
    const onKey = (event: KeyboardEvent) => {
      if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === "k") {
        event.preventDefault();
        show(overlay === "palette" ? null : "palette");
        return;
      }
      if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || belongsToField(event.target)) return;
      if (overlay !== null || document.querySelector("[role=dialog], [role=alertdialog]") !== null) return;
      const going = performance.now() < goUntil;
      goUntil = 0;
      if (going) {
        const place = placesFor(can)
          .flat()
          .find(({ key }) => key === event.key.toLowerCase());
        if (place !== undefined) void navigate({ to: place.to });
      } else if (event.key === "g") goUntil = performance.now() + SEQUENCE_MS;
      else if (event.key === "?") show("help");
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [can, navigate]);
  return useSyncExternalStore(
    (changed) => {
      subscribers.add(changed);
      return () => subscribers.delete(changed);
    },
    () => overlay,
  );
}

function belongsToField(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest("input, textarea, select, [contenteditable=true]") !== null;
}
