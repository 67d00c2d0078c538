import type { ReactNode } from "react";

/** One of the settings, below the title of the page. */
export function SectionHead({ title, lead, actions }: { title: string; lead: ReactNode; actions?: ReactNode }) {
  return (
    <div className="mb-4 flex flex-wrap items-start gap-3">
      <div className="min-w-0 flex-1 basis-64">
        <h2 className="text-base font-semibold tracking-tight">{title}</h2>
        <p className="mt-1 max-w-prose text-sm leading-relaxed text-soft">{lead}</p>
      </div>
      {actions}
    </div>
  );
}
