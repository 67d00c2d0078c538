import type { QueryClient } from "@tanstack/react-query";
import {
  createRootRouteWithContext,
  createRoute,
  createRouter,
  lazyRouteComponent,
  Outlet,
  redirect,
} from "@tanstack/react-router";
import { ApiError } from "../api/problem";
import { meQuery } from "../auth/me";
import { callsSearch } from "../pages/calls/search";
import { knowledgeSearch } from "../pages/knowledge/search";
import { liveSearch } from "../pages/live/search";
import { signInSearch } from "../pages/sign-in/search";
import { tabSearch } from "../pages/tab-search";
import { RouteProblem, RouteWaiting, Stopped } from "./fallbacks";
import { NotFound } from "./not-found";
import { onSignedOut, queryClient } from "./query-client";
import { Shell } from "./shell";

const root = createRootRouteWithContext<{ queryClient: QueryClient }>()({
  component: Outlet,
  notFoundComponent: NotFound,
});

/** Everything that needs to know who asks: the shell around it is drawn once that is known. */
const app = createRoute({
  getParentRoute: () => root,
  id: "app",
  component: Shell,
  errorComponent: Stopped,
  beforeLoad: async ({ context, location }) => {
    try {
      await context.queryClient.ensureQueryData(meQuery);
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) {
        throw redirect({ to: "/sign-in", search: location.href === "/" ? {} : { to: location.href } });
      }
      throw error;
    }
  },
});

const page = <Path extends string>(path: Path, component: ReturnType<typeof lazyRouteComponent>) =>
  createRoute({ getParentRoute: () => app, path, component });
const open = <Path extends string>(path: Path, component: ReturnType<typeof lazyRouteComponent>) =>
  createRoute({ getParentRoute: () => root, path, component });

const calls = createRoute({
  getParentRoute: () => app,
  path: "/calls",
  validateSearch: callsSearch,
  component: lazyRouteComponent(() => import("../pages/calls")),
});
const agent = createRoute({
  getParentRoute: () => app,
  path: "/agents/$agent",
  validateSearch: tabSearch,
  component: lazyRouteComponent(() => import("../pages/agents/editor")),
});
const knowledge = createRoute({
  getParentRoute: () => app,
  path: "/knowledge",
  validateSearch: knowledgeSearch,
  component: lazyRouteComponent(() => import("../pages/knowledge")),
});
const live = createRoute({
  getParentRoute: () => app,
  path: "/live",
  validateSearch: liveSearch,
  component: lazyRouteComponent(() => import("../pages/live")),
});
const signIn = createRoute({
  getParentRoute: () => root,
  path: "/sign-in",
  validateSearch: signInSearch,
  component: lazyRouteComponent(() => import("../pages/sign-in")),
});

const tree = root.addChildren([
  app.addChildren([
    page(
      "/",
      lazyRouteComponent(() => import("../pages/home")),
    ),
    page(
      "/start",
      lazyRouteComponent(() => import("../pages/start")),
    ),
    live,
    calls,
    page(
      "/calls/$id",
      lazyRouteComponent(() => import("../pages/call")),
    ),
    page(
      "/talk",
      lazyRouteComponent(() => import("../pages/talk")),
    ),
    page(
      "/agents",
      lazyRouteComponent(() => import("../pages/agents")),
    ),
    agent,
    knowledge,
    page(
      "/knowledge/$document",
      lazyRouteComponent(() => import("../pages/knowledge/document")),
    ),
    page(
      "/operations",
      lazyRouteComponent(() => import("../pages/operations")),
    ),
    page(
      "/settings",
      lazyRouteComponent(() => import("../pages/settings")),
    ),
    page(
      "/settings/$section",
      lazyRouteComponent(() => import("../pages/settings")),
    ),
  ]),
  signIn,
  open(
    "/register",
    lazyRouteComponent(() => import("../pages/sign-in"), "RegisterPage"),
  ),
  open(
    "/invitation",
    lazyRouteComponent(() => import("../pages/sign-in"), "InvitationPage"),
  ),
  open(
    "/shared",
    lazyRouteComponent(() => import("../pages/shared")),
  ),
  open(
    "/forgot",
    lazyRouteComponent(() => import("../pages/sign-in"), "ForgotPage"),
  ),
  open(
    "/reset",
    lazyRouteComponent(() => import("../pages/sign-in"), "ResetPage"),
  ),
]);

export const router = createRouter({
  routeTree: tree,
  context: { queryClient },
  defaultPreload: "intent",
  defaultPreloadStaleTime: 0,
  defaultPendingComponent: RouteWaiting,
  defaultErrorComponent: RouteProblem,
  defaultNotFoundComponent: NotFound,
  scrollRestoration: false,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}

const OPEN_PATHS = ["/sign-in", "/register", "/invitation", "/forgot", "/reset", "/shared"];

/** The session ended while the page was open: what was fetched for it goes, and the way back is kept. */
onSignedOut(async () => {
  const { pathname, href } = router.state.location;
  if (OPEN_PATHS.includes(pathname)) return;
  await router.navigate({ to: "/sign-in", search: { to: href } });
  queryClient.clear();
});
