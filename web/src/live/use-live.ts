import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useMemo, useReducer, useRef } from "react";
import type { BusinessEvent, LiveCall } from "./picture";
import { live, type StreamState } from "./stream";

/** Follows the business while mounted. The shell does, once. */
export function useLiveStream(enabled: boolean): void {
  const client = useQueryClient();
  useEffect(() => (enabled ? live.start(client) : undefined), [client, enabled]);
}

/**
 * A part of the picture, drawn again when that part is another. Unlike with `useSyncExternalStore` the drawing may be put off
 * and interrupted, which is what keeps a busy wall from standing between a key and its letter.
 */
function useLive<T>(select: () => T): T {
  const [, redraw] = useReducer((count: number) => count + 1, 0);
  const value = select();
  const drawn = useRef({ value, select });
  useEffect(() => {
    drawn.current = { value, select };
  });
  useEffect(() => {
    const look = () => {
      if (drawn.current.select() !== drawn.current.value) redraw();
    };
    look();
    return live.subscribe(look);
  }, []);
  return value;
}

/** Ids of calls as `pick` chooses and orders them; the same list for as long as the same ids come out. */
export function useLivePick(pick: (calls: ReadonlyMap<string, LiveCall>) => string[]): readonly string[] {
  const select = useMemo(() => {
    let calls: ReadonlyMap<string, LiveCall> | null = null;
    let ids: string[] = [];
    return () => {
      if (calls === live.picture.calls) return ids;
      calls = live.picture.calls;
      const next = pick(calls);
      if (next.length !== ids.length || next.some((id, at) => id !== ids[at])) ids = next;
      return ids;
    };
  }, [pick]);
  return useLive(select);
}

export function useLiveCall(id: string): LiveCall | undefined {
  return useLive(() => live.picture.calls.get(id));
}

export function useLiveCount(): number {
  return useLive(() => live.picture.calls.size);
}

export function useLiveReady(): boolean {
  return useLive(() => live.ready);
}

export function useStreamState(): StreamState {
  return useLive(() => live.state);
}

/** Warnings that came since the page was opened, the newest first. */
export function useAlerts(): readonly BusinessEvent[] {
  return useLive(() => live.alerts);
}

/** Calls back with every event of the business, for what is not in the picture. */
export function useBusinessEvents(listener: (event: BusinessEvent) => void): void {
  const latest = useRef(listener);
  useEffect(() => {
    latest.current = listener;
  });
  useEffect(() => live.listen((event) => latest.current(event)), []);
}
