import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { $api, api } from "../../api/client";
import { t } from "../../i18n";
import { WarnIcon } from "../../ui/icons";
import { useAction } from "../../ui/kit/action";
import { Button } from "../../ui/kit/button";
import { Confirm } from "../../ui/kit/dialog";
import { toast } from "../../ui/kit/toast";
import type { Relation } from "./graph";
import { refreshKnowledge } from "./jobs";

/** Two documents that say different things of the same: a caller hears one of them, and nobody knows which. */
export function Conflicts({ editable }: { editable: boolean }) {
  const conflicts = $api.useQuery("get", "/api/v1/knowledge/conflicts", {});
  const [wrong, setWrong] = useState<{ value: string; relations: Relation[] } | null>(null);
  const { busy, run } = useAction();
  const items = conflicts.data?.items ?? [];
  if (items.length === 0) return null;
  const settle = () =>
    run(async () => {
      for (const { id } of wrong?.relations ?? []) {
        await api.DELETE("/api/v1/knowledge/relations/{id}", { params: { path: { id } } });
      }
      refreshKnowledge();
      toast(t("graph.settled"));
      setWrong(null);
    });
  return (
    <section aria-labelledby="conflicts" className="mb-5 rounded-2xl border border-warn/40 bg-warn/6 p-4 sm:p-5">
      <h2 id="conflicts" className="flex items-center gap-2 text-sm font-semibold">
        <WarnIcon className="size-5 text-warn" />
        {t("graph.conflicts", { count: items.length })}
      </h2>
      <p className="mt-1 max-w-prose text-sm leading-relaxed text-soft">{t("graph.conflicts_text")}</p>
      <ul className="mt-3 flex flex-col gap-3">
        {items.map((one) => (
          <li
            key={`${one.subject} ${one.predicate}`}
            data-conflict={one.subject_name}
            className="rounded-xl border border-line bg-card p-3.5 text-sm"
          >
            <p className="font-medium wrap-anywhere">
              {one.subject_name} · {one.predicate}
            </p>
            <ul className="mt-2 flex flex-col gap-2">
              {one.values.map((value) => (
                <li key={value.value} className="flex flex-wrap items-start gap-x-3 gap-y-1">
                  <span className="min-w-0 flex-1 basis-56">
                    <span className="font-medium wrap-anywhere">{value.value}</span>
                    {value.relations.map((relation) => (
                      <Said key={relation.id} relation={relation} />
                    ))}
                  </span>
                  {editable && (
                    <Button size="sm" onClick={() => setWrong(value)}>
                      {t("graph.is_wrong")}
                      <span className="sr-only">{value.value}</span>
                    </Button>
                  )}
                </li>
              ))}
            </ul>
          </li>
        ))}
      </ul>
      <Confirm
        open={wrong !== null}
        title={t("graph.wrong_title", { value: wrong?.value ?? "" })}
        action={t("graph.is_wrong")}
        busy={busy}
        onConfirm={() => void settle()}
        onClose={() => setWrong(null)}
      >
        {t("graph.wrong_text")}
      </Confirm>
    </section>
  );
}

/** The sentence, and where it stands. */
export function Said({ relation }: { relation: Relation }) {
  return (
    <span className="block text-xs leading-snug text-soft wrap-anywhere">
      {relation.quote != null && `“${relation.quote}” `}
      {relation.document != null ? (
        <Link
          to="/knowledge/$document"
          params={{ document: relation.document }}
          className="underline decoration-line underline-offset-2 hover:text-ink"
        >
          {[relation.document_title ?? relation.document, relation.heading].filter(Boolean).join(" › ")}
        </Link>
      ) : (
        t("graph.typed")
      )}
    </span>
  );
}
