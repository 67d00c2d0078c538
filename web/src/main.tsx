import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { resumeSession } from "./auth/session";
import { preferredLanguage, setLanguage, useLanguage } from "./i18n";
import { oldAddress } from "./shell/old-address";
import { queryClient } from "./shell/query-client";
import { router } from "./shell/router";
import { Toaster } from "./ui/kit/toast";
import "./styles.css";

function Pages() {
  const language = useLanguage();
  return (
    <QueryClientProvider client={queryClient}>
      <RouterProvider key={language} router={router} />
      <Toaster />
    </QueryClientProvider>
  );
}

/** Long enough for the first page to be there; after it every page opens at once, also when the server is away. */
const IDLE_MS = 1_500;

function loadAllPages(): void {
  const routes = Object.values(router.routesById);
  for (const route of routes) void Promise.resolve(router.loadRouteChunk(route)).catch(() => {});
}

async function start(): Promise<void> {
  const root = document.getElementById("root");
  if (root === null) throw new Error("index.html has no #root");
  const moved = oldAddress(window.location.hash);
  if (moved !== null) window.history.replaceState(null, "", moved);
  await Promise.all([setLanguage(preferredLanguage(), false), resumeSession()]);
  createRoot(root).render(
    <StrictMode>
      <Pages />
    </StrictMode>,
  );
  window.setTimeout(loadAllPages, IDLE_MS);
  if (import.meta.env.PROD && "serviceWorker" in navigator)
    void navigator.serviceWorker.register("/sw.js").catch(() => {});
}

void start();
