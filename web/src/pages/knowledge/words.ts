import type { components } from "../../api/schema.gen";
import { t, wordsOf } from "../../i18n";
import type { BadgeTone } from "../../ui/kit/page";

export type Document = components["schemas"]["KnowledgeDocument"];

/** Why a document was refused and what to do about it; what the server said where the code is not known. */
export function reasonWords(code: string | null | undefined, error: string | null | undefined): string {
  const known = code == null ? null : wordsOf("knowledge_reasons", code);
  return known ?? error ?? code ?? t("knowledge.refused");
}

export function kindWords(kind: string | null | undefined): string {
  return kind == null ? t("knowledge.kind_unknown") : (wordsOf("knowledge_kinds", kind) ?? kind.toUpperCase());
}

export interface Standing {
  words: string;
  tone: BadgeTone;
}

/** Whether agents answer from a document, and from which version of it. */
export function standing({ serving, newest }: Document): Standing {
  if (newest.status === "indexing") return { words: t("knowledge.being_read"), tone: "live" };
  if (newest.status === "failed") {
    return serving > 0
      ? { words: t("knowledge.version_refused"), tone: "warn" }
      : { words: t("knowledge.refused"), tone: "bad" };
  }
  return serving > 0
    ? { words: t("knowledge.serves"), tone: "good" }
    : { words: t("knowledge.does_not_serve"), tone: "plain" };
}
