import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useSyncExternalStore } from "react";
import type { BusinessEvent, LiveCall } from "./picture";
import { live, type StreamState } from "./stream";

/** Follows the business while mounted. The shell does, once. */
export function useLiveStream(enabled: boolean): void {
  const client = useQueryClient();
  useEffect(() => (enabled ? live.start(client) : undefined), [client, enabled]);
}

/** The calls that are going on, by id; a call that did not change is the same object as before. */
export function useLiveCalls(): ReadonlyMap<string, LiveCall> {
  return useSyncExternalStore(live.subscribe, () => live.picture.calls);
}

export function useLiveCall(id: string): LiveCall | undefined {
  return useSyncExternalStore(live.subscribe, () => live.picture.calls.get(id));
}

export function useLiveCount(): number {
  return useSyncExternalStore(live.subscribe, () => live.picture.calls.size);
}

export function useLiveReady(): boolean {
  return useSyncExternalStore(live.subscribe, () => live.ready);
}

export function useStreamState(): StreamState {
  return useSyncExternalStore(live.subscribe, () => live.state);
}

/** Warnings that came since the page was opened, the newest first. */
export function useAlerts(): readonly BusinessEvent[] {
  return useSyncExternalStore(live.subscribe, () => live.alerts);
}

/** Calls back with every event of the business, for what is not in the picture. */
export function useBusinessEvents(listener: (event: BusinessEvent) => void): void {
  const latest = useRef(listener);
  useEffect(() => {
    latest.current = listener;
  });
  useEffect(() => live.listen((event) => latest.current(event)), []);
}
