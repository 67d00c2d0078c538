import type { Citation } from "../api/types";
import { t } from "../i18n";
import { BookIcon } from "./icons";

/** The passages an answer rests on, each with the words used. */
export function Citations({ citations }: { citations: Citation[] }) {
  return citations.map((citation) => (
    <details
      key={`${citation.document}#${citation.section}#${citation.quote}`}
      data-citation=""
      className="max-w-full open:basis-full"
    >
      <summary className="flex h-6.5 w-fit max-w-full list-none items-center gap-1.5 rounded-full border border-line bg-card px-2.5 text-xs text-soft transition-colors hover:border-faint hover:text-ink">
        <BookIcon className="size-3.5 shrink-0" />
        <span className="truncate">
          <span className="sr-only">{t("talk.source")}</span>
          {citation.document}
          {citation.section !== "" && <span className="text-faint"> · {citation.section}</span>}
        </span>
      </summary>
      <blockquote className="mt-2 max-w-prose border-l-2 border-agent/60 pl-3 text-sm leading-relaxed text-soft">
        {citation.quote}
      </blockquote>
    </details>
  ));
}
