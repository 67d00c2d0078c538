import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { $api, api } from "../../api/client";
import type { components } from "../../api/schema.gen";
import { t } from "../../i18n";
import { shortDate, whole } from "../../ui/format";
import { CheckIcon } from "../../ui/icons";
import { useAction } from "../../ui/kit/action";
import { Button } from "../../ui/kit/button";
import { CardItem, CardList } from "../../ui/kit/card-list";
import { useFind } from "../../ui/kit/find";
import { Empty, Problem, Skeleton } from "../../ui/kit/page";
import { toast } from "../../ui/kit/toast";
import { PairsDialog } from "./add-pairs";
import { refreshKnowledge } from "./jobs";

type Gap = components["schemas"]["KnowledgeGap"];

/** What customers asked and no document answered, most frequent first. */
export function GapsTab({ editable }: { editable: boolean }) {
  const gaps = $api.useQuery("get", "/api/v1/knowledge/gaps", {});
  const [answering, setAnswering] = useState<Gap | null>(null);
  const [shown, find] = useFind(gaps.data?.items, ({ question }) => question);
  const { busy, run } = useAction();
  if (gaps.isPending) return <Skeleton />;
  if (gaps.error !== null) return <Problem error={gaps.error} retry={() => void gaps.refetch()} />;
  const items = gaps.data.items;
  if (items.length === 0) {
    return (
      <Empty icon={<CheckIcon />} title={t("knowledge.no_gaps")}>
        {t("knowledge.no_gaps_text")}
      </Empty>
    );
  }
  const forget = async (gap: Gap) => {
    await api.POST("/api/v1/knowledge/gaps/forget", { body: { ids: gap.ids } });
    void refreshKnowledge();
  };
  const most = Math.max(...items.map(({ count }) => count));
  return (
    <>
      <p className="mb-3 max-w-prose text-sm leading-relaxed text-soft">{t("knowledge.gaps_lead")}</p>
      {find}
      <CardList>
        {shown.map((gap) => (
          <CardItem key={gap.ids[0] ?? gap.question} data-gap={gap.question}>
            <span className="w-14 shrink-0">
              <span className="block text-base leading-tight font-semibold tabular-nums">{whole(gap.count)}×</span>
              <span className="mt-1 block h-1 overflow-hidden rounded-full bg-sunken" aria-hidden="true">
                <span className="block h-full rounded-full bg-warn" style={{ width: `${(gap.count / most) * 100}%` }} />
              </span>
            </span>
            <span className="min-w-0 flex-1 basis-56">
              <span className="block font-medium wrap-anywhere">{gap.question}</span>
              <span className="block text-xs text-soft">
                {t("knowledge.asked_last", { time: shortDate(gap.last_at_ms) })}
              </span>
            </span>
            <span className="flex flex-wrap items-center gap-2">
              <Link
                to="/knowledge"
                search={{ tab: "try", question: gap.question }}
                className="px-1 text-sm text-soft hover:text-ink hover:underline"
              >
                {t("knowledge.why")}
              </Link>
              {editable && (
                <>
                  <Button size="sm" onClick={() => setAnswering(gap)}>
                    {t("knowledge.answer_it")}
                  </Button>
                  <Button
                    size="sm"
                    tone="ghost"
                    disabled={busy}
                    onClick={() =>
                      void run(async () => {
                        await forget(gap);
                        toast(t("knowledge.gap_forgotten"));
                      })
                    }
                  >
                    {t("knowledge.forget")}
                  </Button>
                </>
              )}
            </span>
          </CardItem>
        ))}
      </CardList>
      {answering !== null && (
        <PairsDialog question={answering.question} done={() => forget(answering)} onClose={() => setAnswering(null)} />
      )}
    </>
  );
}
