import { type ErrorComponentProps, useRouter } from "@tanstack/react-router";
import { useEffect } from "react";
import { asApiError } from "../api/problem";
import { t } from "../i18n";
import { LogoIcon } from "../ui/icons";
import { Button } from "../ui/kit/button";
import { Problem, Skeleton } from "../ui/kit/page";

const AGAIN_MS = 5_000;

/** A route whose code or data is on its way. */
export function RouteWaiting() {
  return (
    <div className="mx-auto max-w-6xl px-4 py-8 sm:px-8">
      <Skeleton rows={5} className="h-16" />
    </div>
  );
}

export function RouteProblem({ error }: ErrorComponentProps) {
  const router = useRouter();
  return (
    <div className="mx-auto max-w-2xl px-4 py-10">
      <Problem error={error} retry={() => void router.invalidate()} />
    </div>
  );
}

/** It is not known who asks, so nothing can be drawn: stands alone, and goes on by itself once the server answers. */
export function Stopped({ error }: ErrorComponentProps) {
  const router = useRouter();
  const problem = asApiError(error);
  const away = problem.status === 0 || problem.status >= 502;
  useEffect(() => {
    if (!away) return;
    const again = () => void router.invalidate();
    const timer = window.setInterval(again, AGAIN_MS);
    window.addEventListener("online", again);
    return () => {
      window.clearInterval(timer);
      window.removeEventListener("online", again);
    };
  }, [away, router]);
  return (
    <main className="grid min-h-dvh place-items-center px-6 py-10">
      <div className="grid max-w-md justify-items-center text-center">
        <LogoIcon className="size-12 text-accent" />
        <h1 className="mt-6 text-xl font-semibold tracking-tight text-balance">{problem.title}</h1>
        {problem.message !== problem.title && (
          <p className="mt-2 text-sm leading-relaxed text-soft wrap-anywhere">{problem.message}</p>
        )}
        <p role="status" className="mt-2 text-sm leading-relaxed text-soft">
          {away && (navigator.onLine ? t("shell.trying_again") : t("shell.offline"))}
        </p>
        <Button tone="primary" className="mt-6" onClick={() => void router.invalidate()}>
          {t("shell.retry")}
        </Button>
      </div>
    </main>
  );
}
