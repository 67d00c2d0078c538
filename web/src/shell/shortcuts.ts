import { useNavigate } from "@tanstack/react-router";
import { useEffect, useRef, useSyncExternalStore } from "react";
import type { Can } from "../auth/me";
import type { MessageKey } from "../i18n";
import { placesFor } from "./nav";

type Overlay = "palette" | "help" | null;

/** `g` and the letter of a page must follow each other within this time. */
const SEQUENCE_MS = 1_200;

/** A key of the page that is open; `release` is told when it is let go. */
export interface PageKey {
  key: string;
  label: MessageKey;
  press: () => void;
  release?: () => void;
}

/** Of the pages and panels that are open now, the innermost last. */
const pageKeys: { current: PageKey[] }[] = [];

/** Keys that work while the caller is mounted, wherever the focus is but in fields. The help lists them. */
export function usePageKeys(keys: PageKey[]): void {
  const latest = useRef(keys);
  useEffect(() => {
    latest.current = keys;
  });
  useEffect(() => {
    pageKeys.push(latest);
    return () => {
      pageKeys.splice(pageKeys.indexOf(latest), 1);
    };
  }, []);
}

/** For the help: what works on the page that is open. */
export function keysOfPage(): PageKey[] {
  return pageKeys.flatMap(({ current }) => current);
}

const keyNamed = (name: string) => keysOfPage().findLast(({ key }) => key === name.toLowerCase());

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
    let held: PageKey | undefined;
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
      else {
        const own = keyNamed(event.key);
        if (own === undefined) return;
        // The letter is not for the field that the key may lead to.
        event.preventDefault();
        held = own;
        own.press();
      }
    };
    const letGo = () => {
      const released = held;
      held = undefined;
      released?.release?.();
    };
    const onKeyUp = (event: KeyboardEvent) => {
      if (event.key.toLowerCase() === held?.key) letGo();
    };
    window.addEventListener("keydown", onKey);
    window.addEventListener("keyup", onKeyUp);
    // A key that is let go elsewhere is never told.
    window.addEventListener("blur", letGo);
    return () => {
      window.removeEventListener("keydown", onKey);
      window.removeEventListener("keyup", onKeyUp);
      window.removeEventListener("blur", letGo);
    };
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
