import { MutationCache, QueryCache, QueryClient } from "@tanstack/react-query";
import { ApiError } from "../api/problem";

const STALE_MS = 15_000;

let signedOut: () => Promise<void> = async () => {};

/** The router says what happens then; the caches are below it. */
export function onSignedOut(then: () => Promise<void>): void {
  signedOut = then;
}

function onError(error: Error): void {
  if (error instanceof ApiError && error.status === 401) void signedOut();
}

export const queryClient = new QueryClient({
  queryCache: new QueryCache({ onError }),
  mutationCache: new MutationCache({ onError }),
  defaultOptions: {
    queries: {
      staleTime: STALE_MS,
      // What a server refused it refuses again; what it could not answer, it may a moment later.
      retry: (failures, error) =>
        failures < 2 && error instanceof ApiError && (error.status === 0 || error.status >= 502),
    },
  },
});
