import type { ReactNode, Ref } from "react";
import { asApiError } from "../../api/problem";
import { t } from "../../i18n";
import { WarnIcon } from "../icons";
import { Button } from "./button";

/** A page that scrolls, with its title, what it is for, and what can be done on it. */
export function Page({
  title,
  lead,
  actions,
  children,
  width = "wide",
  scroller,
}: {
  title: string;
  lead?: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
  width?: "narrow" | "wide" | "full";
  /** For what is drawn only where it is in sight. */
  scroller?: Ref<HTMLDivElement>;
}) {
  const widths = { narrow: "max-w-3xl", wide: "max-w-6xl", full: "max-w-none" };
  return (
    <div ref={scroller} className="relative h-full overflow-y-auto">
      <div className={`mx-auto px-4 py-6 sm:px-8 sm:py-8 ${widths[width]}`}>
        <PageHeader title={title} lead={lead} actions={actions} />
        {children}
      </div>
    </div>
  );
}

export function PageHeader({ title, lead, actions }: { title: string; lead?: ReactNode; actions?: ReactNode }) {
  return (
    <header className="mb-6 flex flex-wrap items-start gap-x-6 gap-y-3">
      <div className="min-w-0 flex-1 basis-64">
        <h1 className="text-xl font-semibold tracking-tight">{title}</h1>
        {lead !== undefined && <p className="mt-1 max-w-prose text-sm leading-relaxed text-soft">{lead}</p>}
      </div>
      {actions !== undefined && <div className="flex flex-wrap items-center gap-2">{actions}</div>}
    </header>
  );
}

export function Card({
  title,
  actions,
  children,
  className,
}: {
  title?: string;
  actions?: ReactNode;
  children: ReactNode;
  className?: string;
}) {
  return (
    <section className={`rounded-2xl border border-line bg-card p-4 sm:p-5 ${className ?? ""}`}>
      {title !== undefined && (
        <div className="mb-3 flex min-h-7 items-center justify-between gap-3">
          <h2 className="text-sm font-semibold tracking-tight">{title}</h2>
          {actions}
        </div>
      )}
      {children}
    </section>
  );
}

/** Nothing is there yet: says what would be, and how it comes about. */
export function Empty({
  icon,
  title,
  children,
  action,
}: {
  icon?: ReactNode;
  title: string;
  children: ReactNode;
  action?: ReactNode;
}) {
  return (
    <div className="grid justify-items-center rounded-2xl border border-dashed border-line px-6 py-12 text-center">
      {icon !== undefined && (
        <span className="mb-4 grid size-11 place-items-center rounded-xl bg-sunken text-soft" aria-hidden="true">
          {icon}
        </span>
      )}
      <h2 className="text-[0.9375rem] font-semibold">{title}</h2>
      <p className="mt-1.5 max-w-md text-sm leading-relaxed text-soft">{children}</p>
      {action !== undefined && <div className="mt-5 flex flex-wrap justify-center gap-2">{action}</div>}
    </div>
  );
}

/** Something could not be loaded: what, what to do, and what names it in the log. */
export function Problem({ error, retry }: { error: unknown; retry?: (() => void) | undefined }) {
  const problem = asApiError(error);
  return (
    <div
      role="alert"
      className="flex items-start gap-3 rounded-2xl border border-warn/30 bg-warn/8 p-4 text-sm leading-relaxed"
    >
      <WarnIcon className="mt-0.5 size-5 shrink-0 text-warn" />
      <div className="min-w-0 flex-1 wrap-anywhere">
        <p className="font-medium">{problem.title}</p>
        {problem.message !== problem.title && <p className="text-soft">{problem.message}</p>}
        {problem.status > 0 && (
          <p className="mt-1 font-mono text-xs text-soft">
            {problem.code}
            {problem.requestId !== null && ` · ${t("problems.request", { id: problem.requestId })}`}
          </p>
        )}
      </div>
      {retry !== undefined && (
        <Button size="sm" onClick={retry}>
          {t("shell.retry")}
        </Button>
      )}
    </div>
  );
}

/** What loads keeps its place. */
export function Skeleton({ rows = 4, className = "h-12" }: { rows?: number; className?: string }) {
  return (
    <div className="flex flex-col gap-3" role="status">
      <span className="sr-only">{t("shell.loading")}</span>
      {Array.from({ length: rows }, (_, row) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: they are all alike.
        <span key={row} className={`animate-pulse rounded-xl bg-sunken ${className}`} />
      ))}
    </div>
  );
}

const BADGES = {
  plain: "bg-sunken text-soft",
  good: "bg-good/12 text-good",
  live: "bg-accent/12 text-accent-deep",
  warn: "bg-warn/12 text-warn",
  bad: "bg-danger/12 text-danger",
};
export type BadgeTone = keyof typeof BADGES;

export function Badge({ tone = "plain", children }: { tone?: BadgeTone; children: ReactNode }) {
  return (
    <span
      className={`inline-flex h-5.5 items-center gap-1 rounded-full px-2 text-xs font-medium whitespace-nowrap ${BADGES[tone]}`}
    >
      {children}
    </span>
  );
}

export function Key({ children }: { children: ReactNode }) {
  return (
    <kbd className="inline-grid h-5 min-w-5 place-items-center rounded border border-line bg-card px-1 font-sans text-[0.6875rem] text-soft">
      {children}
    </kbd>
  );
}
