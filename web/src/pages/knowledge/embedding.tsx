import { useState } from "react";
import { $api, api } from "../../api/client";
import { t } from "../../i18n";
import { queryClient } from "../../shell/query-client";
import { useAction } from "../../ui/kit/action";
import { Confirm } from "../../ui/kit/dialog";
import { Select } from "../../ui/kit/field";
import { refreshJobs } from "./jobs";

const LOCAL = "local";
const embeddingQuery = $api.queryOptions("get", "/api/v1/knowledge/embedding", {});

/** What embeds the documents: the model of this machine, or a service beside it. */
export function EmbeddingChoice() {
  const { data: now } = $api.useQuery("get", "/api/v1/knowledge/embedding", {}, { refetchInterval: 5_000 });
  const [wanted, setWanted] = useState<string | null>(null);
  const { busy, run } = useAction();
  if (now === undefined || now.embedders.length === 0) return null;
  const title = (name: string) =>
    now.embedders.find((one) => one.name === name)?.title ?? t("knowledge.embedding_local");
  const choose = async (provider: string) => {
    await run(async () => {
      const { data } = await api.PUT("/api/v1/knowledge/embedding", { body: { provider } });
      if (data !== undefined) queryClient.setQueryData(embeddingQuery.queryKey, data);
      refreshJobs();
    });
    setWanted(null);
  };
  const usable = now.embedders.filter((one) => one.reason == null || one.name === now.provider);
  const missing = now.embedders.flatMap((one) => (one.reason == null ? [] : [one.reason]));
  return (
    <div className="mt-4 max-w-prose">
      <Select
        label={t("knowledge.embedding")}
        hint={usable.length === 0 ? missing.join(" ") : t("knowledge.embedding_hint")}
        value={now.provider}
        disabled={usable.length === 0}
        onChange={({ target }) => target.value !== now.provider && setWanted(target.value)}
        options={[LOCAL, ...usable.map(({ name }) => name)].map((name) => ({ value: name, label: title(name) }))}
      />
      {now.job?.state === "failed" && (
        <p className="mt-2 text-sm text-danger" role="alert">
          {t("knowledge.embedding_failed", { name: title(now.job.provider), why: now.job.error ?? "" })}
        </p>
      )}
      <Confirm
        open={wanted !== null}
        title={t("knowledge.embedding_title", { name: title(wanted ?? LOCAL) })}
        action={t("knowledge.embedding_action")}
        busy={busy}
        onConfirm={() => void choose(wanted ?? LOCAL)}
        onClose={() => setWanted(null)}
      >
        {wanted === LOCAL ? t("knowledge.embedding_back") : t("knowledge.embedding_text")}
      </Confirm>
    </div>
  );
}
