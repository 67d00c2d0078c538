import { queryOptions, useSuspenseQuery } from "@tanstack/react-query";
import { useCallback } from "react";
import { api } from "../api/client";
import type { components } from "../api/schema.gen";

export type Me = components["schemas"]["Me"];

/** The permissions of docs/access.md. */
export type Permission =
  | "business:read"
  | "business:manage"
  | "people:read"
  | "people:manage"
  | "keys:read"
  | "keys:manage"
  | "agents:read"
  | "agents:write"
  | "agents:publish"
  | "numbers:read"
  | "numbers:manage"
  | "calls:read"
  | "calls:place"
  | "calls:control"
  | "recordings:read"
  | "conversations:read"
  | "conversations:write"
  | "customers:read"
  | "customers:write"
  | "providers:read"
  | "providers:manage"
  | "config:read"
  | "config:manage"
  | "webhooks:read"
  | "webhooks:manage"
  | "events:read"
  | "usage:read"
  | "plan:manage"
  | "audit:read"
  | "knowledge:read"
  | "knowledge:write"
  | "installation:manage";

/** Who asks: a person, or on somebody's own machine without users the installation itself. */
export const meQuery = queryOptions({
  queryKey: ["me"],
  queryFn: async ({ signal }) => (await api.GET("/api/v1/auth/me", { signal })).data as Me,
  staleTime: Number.POSITIVE_INFINITY,
  retry: false,
});

export function useMe(): Me {
  return useSuspenseQuery(meQuery).data;
}

export type Can = (permission: Permission) => boolean;

/** `const can = useCan(); can("agents:write")`. Hides what would be refused; the server decides. */
export function useCan(): Can {
  const { permissions } = useMe();
  return useCallback((permission) => permissions.includes(permission), [permissions]);
}
